"""The proof can fail: each way of breaking the promise is tried on a copy, and caught by name.

A mutation is one edit of the app. Its catcher, a check of the proof or a test, has to say that what
it guards is broken: not that it could not be run.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .job import Job
from .results import Result

HOME = Path(__file__).resolve().parent.parent
COPIED = ("django_etelecom", "example_project", "proof", "tests", "pyproject.toml")
PATIENCE = 300


@dataclasses.dataclass(frozen=True)
class Caught:
    """A check of the proof that counts `finding` where the promise is broken so."""

    check: str
    finding: str
    count: int
    parts: tuple[str, ...] = ()
    settings = "proof.settings"

    @property
    def told(self) -> str:
        return f"{self.check}: {self.finding}"

    def command(self) -> list[str]:
        options = [option for part in self.parts for option in ("--part", part)]
        return [
            *(sys.executable, "-m", "proof.job", self.check, "sqlite:///mutated"),
            *("--count", str(self.count), "--seed", "1", *options),
        ]

    def catches(self, ended: "subprocess.CompletedProcess[str]") -> bool:
        if ended.returncode:
            return False
        return Result.of_json(ended.stdout.splitlines()[-1]).wrong[self.finding] > 0


@dataclasses.dataclass(frozen=True)
class Failed:
    """A test that fails where the promise is broken so."""

    test: str
    settings = "tests.settings"

    @property
    def told(self) -> str:
        return self.test

    def command(self) -> list[str]:
        return run_tests(self.test)

    def catches(self, ended: "subprocess.CompletedProcess[str]") -> bool:
        return ended.returncode == 1 and f"FAILED {self.test}" in ended.stdout


def run_tests(*tests: str) -> list[str]:
    """Return the command that runs tests up to the first that fails."""
    return [sys.executable, "-m", "pytest", "-qx", "--nomigrations", *tests]


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One way of breaking the promise."""

    name: str
    file: str
    """Below `django_etelecom`."""
    old: str
    """What stands there, once."""
    new: str
    by: Caught | Failed


MUTATIONS = [
    Mutation(
        "the POST is made before the intent is committed",
        "services.py",
        """\
    earlier = records.write(message, draft)
    if earlier is not None:
        return earlier
    outgoing = draft.outgoing(message)
    if at_commit:
""",
        """\
    with transaction.atomic(using=connection.alias):
        earlier = records.write(message, draft)
        if earlier is not None:
            return earlier
        outgoing = draft.outgoing(message)
        if not at_commit:
            delivery.send_claimed(message, outgoing, draft.backend)
            return message
    if at_commit:
""",
        Caught("kills", "unrecorded", 20, ("one message",)),
    ),
    Mutation(
        "lapsed claims go back to the queue",
        "lifecycle.py",
        "_sweep(lapsed & Q(status=Status.SENDING), to=Status.UNKNOWN, reason=Reason.LAPSED)",
        "MessageLog.objects.filter(lapsed, status=Status.SENDING).update(\n"
        "            status=Status.QUEUED, lease_expires_at=F('expires_at'))",
        Caught("kills", "sent twice", 20, ("worker",)),
    ),
    Mutation(
        "what happened is told by the class of the exception",
        "client/transport.py",
        "    return NoAnswer(failure, exchange.sent, _detail(error))",
        "    return NoAnswer(failure, not isinstance(error, ConnectionError), _detail(error))",
        Caught(
            "faults",
            "with another status than the right one",
            12,
            ("reset", "of the request", "plain, http", "at once"),
        ),
    ),
    Mutation(
        "a connection that is lost is tried again",
        "client/transport.py",
        "            return self._answered(target, body)\n",
        "            try:\n"
        "                return self._answered(target, body)\n"
        "            except ConnectionError:\n"
        "                return self._answered(target, body)\n",
        Failed("tests/client/test_transport_faults.py::test_reused_connection_lost_after_reading"),
    ),
    Mutation(
        "libcurl may send a request again",
        "client/curl.py",
        "        if not self._has_leave:\n            self._is_stale",
        "        if True:\n            self._is_stale",
        Failed("tests/client/test_transport_faults.py::test_reused_connection_lost_after_reading"),
    ),
    Mutation(
        "the mark that a byte may have left comes after the write",
        "client/connections.py",
        """\
        current.get().sent = True
        self._socket.sendall(
            b"%b%d\\r\\n\\r\\n%b" % (head, len(body.reveal()), body.reveal()),
        )
""",
        """\
        self._socket.sendall(
            b"%b%d\\r\\n\\r\\n%b" % (head, len(body.reveal()), body.reveal()),
        )
        current.get().sent = True
""",
        Failed("tests/client/test_transport_faults.py::test_slow_reader_of_a_large_body"),
    ),
    Mutation(
        "the last word stands, not the strongest",
        "events.py",
        "    return [Status.SENDING, *STRENGTH[: STRENGTH.index(status)]]",
        "    return [Status.SENDING, *STRENGTH]",
        Failed("tests/test_fold.py::test_fold__every_order_of_up_to_six"),
    ),
    Mutation(
        "guards are skipped",
        "records.py",
        "        guards.admit(draft, at_once=message.send_at is None)\n",
        "",
        Failed("tests/test_guards.py::test_suppression__of_everything_stops_a_one_time_password"),
    ),
    Mutation(
        "answers are kept as they came, secrets and all",
        "delivery.py",
        "        payload=redact(result.payload, secrets),",
        "        payload=str(result.payload),",
        Failed("tests/test_send.py::test_send__echo_of_secret_and_credentials_is_masked"),
    ),
    Mutation(
        "the webhook's token is compared by ==",
        "webhooks.py",
        "constant_time_compare(given, token) for",
        "given == token for",
        Failed("tests/test_webhook.py::test_tokens__are_compared_in_constant_time"),
    ),
    # Ten of our own, and some.
    Mutation(
        "a message that somebody else has claimed is claimed again",
        "lifecycle.py",
        "        MessageLog.objects.filter(itself(message), status=Status.QUEUED)\n"
        "        .filter(Q(expires_at=None)",
        "        MessageLog.objects.filter(itself(message))\n        .filter(Q(expires_at=None)",
        Failed("tests/test_lifecycle.py::test_claim__goes_to_one_of_two"),
    ),
    Mutation(
        "an attempt whose end is unknown is made again",
        "delivery.py",
        "    return result.outcome is Outcome.NOT_SENT\n",
        "    return result.outcome in (Outcome.NOT_SENT, Outcome.UNKNOWN)\n",
        Caught("outages", "sent twice", 1, ("provider_silent",)),
    ),
    Mutation(
        "the secrets of a message stay in its row once it was sent",
        "events.py",
        '    settled = {"lease_expires_at": None, "sealed_params": ""}\n',
        '    settled = {"lease_expires_at": None}\n',
        Failed("tests/test_queue.py::test_secret__is_sealed_until_it_is_sent"),
    ),
    Mutation(
        "an idempotency key is not looked at",
        "records.py",
        "        idempotency_digest=draft.idempotency_digest,\n",
        "        idempotency_digest=None,\n",
        Failed("tests/test_send.py::test_send__one_key_in_many_threads_sends_once"),
    ),
    Mutation(
        "a status that nobody has documented counts as accepted",
        "client/protocol.py",
        "    if code == ACCEPTED_STATUS:\n",
        "    if code not in REFUSAL_BY_STATUS:\n",
        Failed("tests/client/test_answers.py::test_status__not_understood"),
    ),
    Mutation(
        "any answer of HTTP counts, whatever its status",
        "client/wire.py",
        "    if status != 200:\n",
        "    if status >= 600:\n",
        Failed(
            "tests/client/test_answers.py::test_http_status__nothing_but_200_and_401_is_an_answer"
        ),
    ),
    Mutation(
        "a message is sent inside the caller's transaction",
        "services.py",
        """\
        transaction.on_commit(
            lambda: delivery.deliver_at_commit(message, outgoing, draft.backend), connection.alias
        )
""",
        "        delivery.deliver(message, outgoing, draft.backend)\n",
        Failed("tests/test_send.py::test_send__rolled_back_view_has_sent_nothing"),
    ),
    Mutation(
        "what has expired is sent",
        "lifecycle.py",
        "        .filter(Q(expires_at=None) | Q(expires_at__gt=DatabaseNow()))\n        .update(",
        "        .update(",
        Failed("tests/test_send.py::test_send__expired_before_the_commit_is_not_sent"),
    ),
    Mutation(
        "spent credit does not pause the account",
        "pace.py",
        "PAUSING = {Refusal.CREDENTIALS, Refusal.ADDRESS, Refusal.OUT_OF_MESSAGES}",
        "PAUSING = {Refusal.CREDENTIALS, Refusal.ADDRESS}",
        Caught("outages", "not as the design says", 1, ("credit_spent",)),
    ),
    Mutation(
        "an answer that cannot be written is told to nobody",
        "delivery.py",
        '    logger.critical(\n        "The outcome of message',
        '    logger.debug(\n        "The outcome of message',
        Caught("outages", "not as the design says", 1, ("database_away",)),
    ),
    Mutation(
        "a forged report is believed",
        "reports.py",
        "    believed = len(messages) == 1 and not settings.confirms_reports\n",
        "    believed = True\n",
        Failed("tests/test_reports.py::test_report__that_is_forged_moves_nothing"),
    ),
]


def run(job: Job) -> Result:
    """Try the mutations, or those whose names hold one of the job's parts."""
    chosen = [
        mutation
        for mutation in MUTATIONS
        if not job.parts or any(part in mutation.name for part in job.parts)
    ]
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            if (HOME / name).is_dir():
                shutil.copytree(HOME / name, copy / name)
            else:
                shutil.copy(HOME / name, copy)
        if fault := fault_of_copy(copy, chosen):
            missed.append(fault)
        for place, mutation in enumerate(chosen, 1):
            if fault := fault_of(mutation, copy, place):
                missed.append(f"{mutation.name}: {fault}")
            job.say(mutation.name)
    return Result(
        check="mutations of the app",
        database=job.database,
        times=f"{len(chosen)} mutations",
        did="each on a copy of the app",
        wrong={"not caught by name": len(missed)},
        examples=missed,
        appendix="\n".join(
            [
                "| what is broken | is caught by |",
                "|---|---|",
                *(f"| {one.name} | `{one.by.told}` |" for one in chosen),
                "",
            ]
        ),
    )


def fault_of_copy(copy: Path, chosen: Sequence[Mutation]) -> str:
    """Run the tests on a copy that nobody has changed; return what they said, "": they pass.

    A test that fails anyway would catch everything. The checks of the proof find nothing there:
    that is what the rest of it shows.
    """
    tests = sorted({one.by.test for one in chosen if isinstance(one.by, Failed)})
    if not tests:
        return ""
    ended = run_in(copy, run_tests(*tests), Failed.settings)
    if ended.returncode == 0:
        return ""
    return f"tests fail where nothing is broken: {said_by(ended)}"


def run_in(copy: Path, command: Sequence[str], settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on a copy of this project."""
    return subprocess.run(
        command,
        cwd=copy,
        env={
            **{key: value for key, value in os.environ.items() if "PROOF_" not in key},
            "PYTHONPATH": str(copy),
            "DJANGO_SETTINGS_MODULE": settings,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def said_by(ended: "subprocess.CompletedProcess[str]") -> str:
    return (ended.stdout + ended.stderr)[-1500:]


def fault_of(mutation: Mutation, copy: Path, place: int) -> str:
    """Make a mutation in a copy, look whether it is caught, and undo it; return why it is not.

    Args:
        mutation: what is made.
        copy: of this project.
        place: of the mutation among all, which gives the file a time that no other has had.
    """
    file = copy / "django_etelecom" / mutation.file
    whole = file.read_text()
    if whole.count(mutation.old) != 1:
        return f"what it changes stands {whole.count(mutation.old)} times in {mutation.file}"
    was_written = file.stat().st_mtime
    file.write_text(whole.replace(mutation.old, mutation.new))
    # Python tells by time and size whether what it has compiled is of the same file.
    os.utime(file, (place, place))
    try:
        ended = run_in(copy, mutation.by.command(), mutation.by.settings)
    except subprocess.TimeoutExpired:
        return f"{mutation.by.told} did not end in {PATIENCE} seconds"
    finally:
        file.write_text(whole)
        os.utime(file, (was_written, was_written))
    if mutation.by.catches(ended):
        return ""
    return f"{mutation.by.told} did not catch it, but said: {said_by(ended)}"
