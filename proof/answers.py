"""Fuzzed answers: a provider that answers every request with bytes that were drawn at random."""

import collections
import dataclasses
import html
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from django.db import transaction

from django_etelecom.models import MessageEvent, MessageLog
from django_etelecom.services import queue_campaign, queue_message

from . import roles
from .job import Job
from .made_answers import answer_to_send, answer_to_status
from .processes import Victim
from .raw_server import RawServer
from .reading import read_send, read_status
from .results import Result
from .wire_answers import GET_STATUS, PASSWORD, SECRET, SEND, Answer, id_of

AT_A_TIME = 4_000
"""Messages that are queued, sent and judged together."""

WORKERS = 2

WITH_SECRETS = 5
"""One message of so many has a secret parameter, which takes far longer to queue."""

SECONDS = 5.0
"""For an answer: a machine that is busy is late by less than that, and few answers never come."""

ENOUGH_SECONDS = 600.0
"""For the work on all that is queued together."""

LONGEST_PAYLOAD = 4096

EXAMPLES = 4
"""Of each thing that was wrong."""


@dataclasses.dataclass
class Findings:
    """What was wrong, by what it is called in the table, and examples of it."""

    wrong: collections.Counter[str]
    examples: list[str]

    def add(self, what: str, told: str) -> None:
        self.wrong[what] += 1
        if self.wrong[what] <= EXAMPLES:
            self.examples.append(f"{what}: {told}")


def run(job: Job) -> Result:
    """Have `job.count` messages answered, and ask once about each that was accepted."""
    seed = job.chance.randrange(10**9)
    findings = Findings(
        collections.Counter(
            {
                "exceptions": 0,
                "false successes": 0,
                "falsely refused": 0,
                "not as the answer says": 0,
                "unrecorded": 0,
                "sent twice": 0,
                "secrets in the clear": 0,
            }
        ),
        [],
    )
    seen: collections.Counter[str] = collections.Counter()
    # The site speaks to the proxy's port, which from now on is a worse server's.
    job.proxy.refuse()
    for start in range(0, job.count, AT_A_TIME):
        numbers = job.numbers(min(AT_A_TIME, job.count - start))
        made: dict[tuple[str, str], Answer] = {}
        with RawServer(job.proxy.port, _answering(seed, made)) as server:
            queue(numbers)
            work(roles.work_off, numbers, findings)
            judge_sends(numbers, server, made, findings, seen)
            work(roles.ask, numbers, findings, processes=1)
            judge_statuses(numbers, server, made, findings, seen)
        if server.faults:
            raise RuntimeError(f"The server itself failed: {server.faults[0]}")
        job.say(f"answers: {start + len(numbers)} of {job.count}")
    return Result(
        check="fuzzed answers: bodies, headers, status lines",
        database=job.database,
        times=f"{seen['answers']:,} messages",
        did="half by the default backend, half by the one for bulk, each with an answer of its "
        f"own: {seen['exact']:,} made to mean one thing, {seen['unsettled']:,} that may be read in "
        f"two ways, {seen['damaged']:,} damaged; {seen['status answers']:,} answers to "
        "GetStatusOmni",
        wrong=dict(findings.wrong),
        seen=", ".join(f"{seen[one]:,} {one}" for one in ("accepted", "rejected", "unknown"))
        + f"; of those accepted, once asked about, {seen['delivered']:,} delivered"
        + (f"; {seen['never answered']:,} never wholly answered" if seen["never answered"] else ""),
        examples=[f"seed {seed}, {one}" for one in findings.examples],
    )


def _answering(seed: int, made: dict[tuple[str, str], Answer]):
    def answer(path: str, asked: dict[str, object]) -> Answer:
        if path == SEND:
            number = str(asked["phonenumber"])
            return made.setdefault((SEND, number), answer_to_send(seed, number))
        told_id = str(asked["idOmniMess"])
        number = told_id.removeprefix(id_of(""))
        return made.setdefault((GET_STATUS, told_id), answer_to_status(seed, number))

    return answer


# What is done


def queue(numbers: Sequence[str]) -> None:
    """Queue a message to each number, half of them by the backend for bulk."""
    with_secret = {number for number in numbers if has_secret(number)}
    with transaction.atomic():
        for number in sorted(with_secret):
            template = "order_bulk" if int(number) // WITH_SECRETS % 2 else "order"
            queue_message(template, number, {"order_code": "DH-1024", "pin": SECRET})
    others = [number for number in numbers if number not in with_secret]
    for template, those in [("offer", others[::2]), ("offer_bulk", others[1::2])]:
        rows = ({"to": number, "order_code": "DH-1024", "pin": "-"} for number in those)
        queue_campaign(template, rows)


def has_secret(number: str) -> bool:
    return int(number) % WITH_SECRETS == 0


def work(role, numbers: Sequence[str], findings: Findings, *, processes: int = WORKERS) -> None:
    """Have processes of the site do something to the messages; keep what they complain of."""
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder) / str(place) for place in range(processes)]
        victims = [Victim(role, numbers[0], numbers[-1], SECONDS, str(log)) for log in logs]
        for victim in victims:
            victim.go()
        for victim in victims:
            try:
                if victim.wait(ENOUGH_SECONDS):
                    findings.add("exceptions", "a process was killed")
            except RuntimeError as error:
                findings.add("exceptions", str(error))
        for log in logs:
            if log.exists() and (told := log.read_text(errors="replace").strip()):
                findings.add("exceptions", shortened(told))


def shortened(text: str) -> str:
    """Leave out the middle of a traceback, which says least."""
    return text if len(text) <= 3_000 else f"{text[:1_500]}\n...\n{text[-1_500:]}"


# What is judged


def judge_sends(
    numbers: Sequence[str],
    server: RawServer,
    made: dict[tuple[str, str], Answer],
    findings: Findings,
    seen: collections.Counter[str],
) -> None:
    """Hold the rows and their events against the answers."""
    events = collections.defaultdict(list)
    for event in events_of(numbers, "send"):
        events[event.message_id].append(event)
    found = set()
    for row in rows_of(numbers).iterator():
        number = row.recipient
        found.add(number)
        answer, sends = made.get((SEND, number)), events[row.pk]
        known_as = f"{row.status} ({row.reason or row.provider_message_id})"
        told = f"{number} by {row.account}, {known_as}, {_shown(answer)}"
        if before := server.before.get((SEND, number)):
            told += f", behind one {_shown(before)}"
        seen["answers"] += 1
        seen[row.status] += 1
        judge_record(row, sends, told, findings)
        if server.received[SEND, number] > 1:
            findings.add("sent twice", told)
        if answer is None or (SEND, number) not in server.answered:
            seen["never answered"] += 1
            if row.status != "unknown":
                findings.add("not as the answer says", told)
            continue
        seen[_sort(answer)] += 1
        if (SEND, number) in server.after_others and row.status == "unknown":
            # It may have met what was left of that one.
            continue
        judge_status(row, answer, told, findings)
    for number in set(numbers) - found:
        findings.add("unrecorded", f"{number} has no row")


def judge_record(
    row: MessageLog, sends: Sequence[MessageEvent], told: str, findings: Findings
) -> None:
    """Tell whether an attempt is on record, once, whole, and without a secret."""
    if row.status not in ("accepted", "rejected", "unknown") or len(sends) != 1:
        findings.add("unrecorded", f"{len(sends)} events of it: {told}")
        return
    (event,) = sends
    if "internal_error" in (row.reason, event.reason):
        findings.add("exceptions", told)
    understood = row.status
    if row.status == "unknown" and event.http_status is not None:
        understood = ""
    if event.status != understood or event.reason != row.reason:
        findings.add("unrecorded", f"its event is {event.status!r} ({event.reason}): {told}")
    if len(event.payload) > LONGEST_PAYLOAD or "\x00" in event.payload or row.sealed_params:
        findings.add("unrecorded", f"its payload is out of bounds: {told}")
    words = [event.payload, event.provider_status, event.provider_detail, event.failure_detail]
    words += [row.provider_status, row.provider_detail, json.dumps(row.params)]
    secrets = [PASSWORD, SECRET] if has_secret(row.recipient) else [PASSWORD]
    if shows(words, secrets):
        findings.add("secrets in the clear", told)


def judge_status(row: MessageLog, answer: Answer, told: str, findings: Findings) -> None:
    """Tell whether a message is called what its answer says."""
    if answer.statuses is None:
        reading = read_send(answer.raw)
        possible, ids = reading.statuses, reading.ids
    else:
        possible = answer.statuses
        ids = None if answer.provider_id is None else {answer.provider_id}
    if row.status not in possible:
        wrong = {"accepted": "false successes", "rejected": "falsely refused"}
        findings.add(wrong.get(row.status, "not as the answer says"), told)
    elif row.status == "accepted" and ids is not None and row.provider_message_id not in ids:
        findings.add("false successes", f"with the id {row.provider_message_id!r}: {told}")
    elif answer.reason is not None and row.reason != answer.reason:
        findings.add("not as the answer says", f"not for {answer.reason!r}: {told}")


def judge_statuses(
    numbers: Sequence[str],
    server: RawServer,
    made: dict[tuple[str, str], Answer],
    findings: Findings,
    seen: collections.Counter[str],
) -> None:
    """Hold what is said of messages that were accepted against the answers to what was asked."""
    asked = collections.Counter(event.message_id for event in events_of(numbers, "poll"))
    bearers = bearers_of_ids(numbers)
    for row in askable(numbers).iterator():
        request = GET_STATUS, row.provider_message_id
        answer = made.get(request)
        told = f"{row.recipient} asked about as {request[1]}, {row.status}, {_shown(answer)}"
        seen["status answers"] += 1
        if row.status in ("delivered", "undelivered"):
            seen[row.status] += 1
        if asked[row.pk] != 1:
            findings.add("unrecorded", f"{asked[row.pk]} events of the question: {told}")
        if answer is None or request not in server.answered:
            if row.status != "accepted":
                findings.add("false successes", told)
            continue
        possible = answer.statuses or read_status(answer.raw).statuses
        is_alone = bearers[row.provider_message_id] == 1
        # Damage may have given it another's id: which of the two is meant nobody can tell.
        if row.status == "accepted" and (request in server.after_others or not is_alone):
            continue
        if row.status not in possible:
            is_false = row.status == "delivered"
            findings.add("false successes" if is_false else "not as the answer says", told)
    for event in events_of(numbers, "poll"):
        secrets = [PASSWORD]
        words = [event.payload, event.provider_status, event.provider_detail, event.failure_detail]
        if event.reason == "internal_error":
            findings.add("exceptions", f"by a question, event {event.pk}")
        if len(event.payload) > LONGEST_PAYLOAD:
            findings.add("unrecorded", f"a payload of {len(event.payload)} characters")
        if shows(words, secrets):
            findings.add("secrets in the clear", f"event {event.pk}")


def shows(words: Iterable[str], secrets: Iterable[str]) -> bool:
    """Tell whether any text shows a secret, as it is or in an escape."""
    return any(
        secret in reading for word in words for reading in _readings(word) for secret in secrets
    )


def _readings(word: str) -> Iterator[str]:
    lowered = word.lower()
    yield lowered
    if "%" in word:
        yield unquote(lowered)
    if "&" in word:
        yield html.unescape(lowered)
    if "\\u" in word:
        yield re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), lowered)


def rows_of(numbers: Sequence[str]):
    return MessageLog.objects.filter(recipient__gte=numbers[0], recipient__lte=numbers[-1])


def askable(numbers: Sequence[str]):
    """Return the messages that have been given the id by which the server knows them."""
    return rows_of(numbers).filter(
        status__in=["accepted", "delivered", "undelivered"],
        provider_message_id__startswith=id_of("8491"),
    )


def bearers_of_ids(numbers: Sequence[str]) -> collections.Counter[str]:
    """Count the messages, of all there are, that have been given each of these messages' ids."""
    ids = askable(numbers).values("provider_message_id")
    bearers = MessageLog.objects.filter(provider_message_id__in=ids)
    return collections.Counter(bearers.values_list("provider_message_id", flat=True))


def events_of(numbers: Sequence[str], source: str):
    events = MessageEvent.objects.filter(
        message__recipient__gte=numbers[0], message__recipient__lte=numbers[-1], source=source
    )
    return events.iterator()


def _sort(answer: Answer) -> str:
    if answer.statuses is None:
        return "damaged"
    return "exact" if answer.is_exact else "unsettled"


def _shown(answer: Answer | None) -> str:
    if answer is None:
        return "which got no answer"
    return f"answered ({answer.name}, {answer.end}) with {answer.raw[:600]!r}"
