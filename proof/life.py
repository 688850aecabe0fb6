"""What can happen to the messages of a site, several of which live at once: a rule for each thing.

What is drawn never depends on what came of it before, so that a sequence can be run again and
shortened: a rule that finds nothing to do does nothing.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
)

from django_etelecom import models, pace, reports, services
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage, SendBlocked
from django_etelecom.models import (
    Campaign,
    InboxReport,
    MessageEvent,
    MessageLog,
    MessageTemplate,
    TemplateParameter,
)
from django_etelecom.models.messages import Reason
from django_etelecom.sender import send_now
from django_etelecom.simulator.outcomes import Outcome
from django_etelecom.worker import Worker

from . import kills
from .job import Job
from .kills import WAYS, Way
from .processes import PATIENCE, wait_until
from .proxy import Behaviour
from .steps import Step
from .witness import CODE, SECRET, UNDER_WAY, Broken, Witness

TOKEN = "token-of-the-proof-0001"

OUTCOMES = [
    outcome
    for outcome in Outcome
    # Megabytes cost more than all the rest, and are the part of another check.
    if outcome not in (Outcome.HUGE_BODY, Outcome.GZIP_BOMB)
]
TEMPLATES = ("offer", "order", "offer_bulk", "order_bulk")
ACCOUNTS = ("default", "bulk")

codes = itertools.count(1)

# What rules are given. The first of each is the plainest, to which a failure is brought back.
template_codes = st.sampled_from(TEMPLATES)
recipients = st.sampled_from([0, 1, 2, 3] * 16 + [outcome.phone_number for outcome in OUTCOMES])
"""A number of the sequence's own, by its position, or one that has an outcome."""
any_of_them = st.integers(0, 30)
rarely = st.sampled_from([False] * 7 + [True])
keys = st.sampled_from([None, None, None, "a", "b"])
ways_to_write = st.sampled_from(
    ["alone", "in a transaction", "rolled back", "undone alone", "cancelled"]
)
delays = st.sampled_from([None, 30, 300])
"""Seconds."""
spans = st.sampled_from([1, 10, 70, 700, 3_600, 100_000])

ENDS_WITHIN = (400, 400, 100_000, 100_000)
"""Seconds that pass, one after the other, until nothing may be under way."""

MOVING = {
    MessageLog: ("lease_expires_at", "expires_at", "send_at", "next_poll_at"),
    Campaign: ("lease_expires_at", "expires_at", "send_at"),
}
"""The instants that a process waits for."""

OURS = (
    models.ReportedMessage,
    models.InboxReport,
    models.MessageEvent,
    models.MessageLog,
    models.CampaignTally,
    models.CampaignRow,
    models.CampaignPart,
    models.Campaign,
    models.DayTally,
    models.WaitTally,
    models.Suppression,
    models.NumberHistory,
    models.AccountState,
    models.TemplateParameter,
)
"""What is emptied before a sequence, in an order that leaves nothing pointing at what is gone."""


class Undone(Exception):
    """Undoes a transaction."""


@dataclasses.dataclass(frozen=True)
class Keyed:
    """A message that was written with an idempotency key."""

    pk: int
    write: Callable[..., MessageLog]
    """Writes the same once more."""


class Hurrying(Behaviour):
    """Has the provider report a delivery before the answer with the id arrives."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report

    def answer(self, link, piece) -> None:
        try:
            for provider_id in re.findall(rb"ICOMNI[0-9a-f]{30}", piece):
                self._report(provider_id.decode())
        finally:
            connection.close()
        link.to_client(piece)


class Life(RuleBasedStateMachine):
    """A site with some numbers to write to, whose messages live through whatever is drawn."""

    job: ClassVar[Job]
    etelecom: ClassVar[dict[str, Any]]
    done: ClassVar[Counter[str]]
    """What was done and what came of it, by name, in all lives."""
    broken: ClassVar[tuple[Exception, list[str]] | None]
    """What happened last that must not, and the story of that life."""

    def __init__(self) -> None:
        super().__init__()
        self.story: list[str] = []
        self._fault_around = sys.exception()
        self.job.simulator.clear()
        self.witness = Witness(self.job.simulator)
        self.numbers = self.job.numbers(4)
        self.keyed: dict[tuple[str, str], Keyed] = {}
        self.faults: list[Exception] = []
        self.hurries = False
        self.is_down = False
        self._connect()
        empty()
        self.etelecom |= {"CONFIRM_REPORTS": True, "POLL_AFTER": [200]}
        # So that there is something to happen to.
        for template in ("offer", "order_bulk"):
            self._write(services.send_message, template, 0, "alone", None)
        self._told = len(self.story)

    # --- Sending ----------------------------------------------------------------------------------

    @rule(template=template_codes, to=recipients, way=ways_to_write, key=keys, expires=delays)
    def send(self, template, to, way, key, expires):
        self._write(services.send_message, template, to, way, key, expires_at=later(expires))

    @rule(
        template=template_codes,
        to=recipients,
        way=ways_to_write,
        key=keys,
        send=delays,
        expires=delays,
    )
    def queue(self, template, to, way, key, send, expires):
        expires = expires and expires + (send or 0)
        self._write(
            services.queue_message,
            template,
            to,
            way,
            key,
            send_at=later(send),
            expires_at=later(expires),
        )

    @rule(template=template_codes, to=recipients)
    def send_plainly(self, template, to):
        self._write(services.send_message, template, to, "alone", None)

    @rule(which=any_of_them, way=ways_to_write, queues=st.booleans())
    def write_again_by_its_key(self, which, way, queues):
        if not self.keyed:
            return
        account, key = pick(sorted(self.keyed), which)
        its = self.keyed[account, key]
        self._tell(f"the same by key {key} of {account}, {way}")
        service = services.queue_message if queues else services.send_message
        again = self._refusable(lambda: within(way, lambda: its.write(service, key)))
        if again is not None and again.pk != its.pk:
            raise Broken("written twice", f"key {key} gave row {its.pk}, then {again.pk}")

    @rule(which=any_of_them, to=st.none() | recipients, way=ways_to_write)
    def resend(self, which, to, way):
        if message := self._message(which):
            code, params = self._params(message.template_code)
            number = None if to is None else self._number(to)
            self._tell(f"resend {self._name(message)} to {number} as {code}, {way}")
            self._asked(
                code,
                way,
                lambda: services.resend_message(message, to=number, params=params),
            )

    @rule(which=any_of_them)
    def cancel(self, which):
        if message := self._message(which):
            self._tell(f"cancel {self._name(message)}")
            services.cancel_message(message)

    # --- Campaigns --------------------------------------------------------------------------------

    @rule(
        template=template_codes,
        to=st.lists(recipients, min_size=1, max_size=4),
        send=delays,
        has_faulty=st.booleans(),
    )
    def queue_campaign(self, template, to, send, has_faulty):
        rows = [{"to": self._number(one), **self._params(template)[1]} for one in to]
        asked = [row[CODE] for row in rows]
        faulty = {"to": "12", **self._params(template)[1]}
        self.witness.void.add(faulty[CODE])
        self._tell(f"queue a campaign of {template} in {send} s: {rows}")
        campaign = self._refusable(
            lambda: services.queue_campaign(
                template, [faulty, *rows] if has_faulty else rows, send_at=later(send)
            )
        )
        if campaign is None:
            self.witness.void.update(asked)

    @rule(which=any_of_them, move=st.sampled_from(["pause", "resume", "retry", "cancel"]))
    def move_campaign(self, which, move):
        if campaign := pick(Campaign.objects.order_by("pk"), which):
            self._tell(f"{move} campaign {campaign.pk}, {campaign.status}")
            if move == "retry":
                self.witness.retried.add(campaign.pk)
            self._refusable(lambda: getattr(services, f"{move}_campaign")(campaign))

    # --- Processes --------------------------------------------------------------------------------

    @rule()
    def work(self):
        self._tell("work")
        self._work()

    @rule(which=st.lists(any_of_them, min_size=1, max_size=3))
    def carry(self, which):
        pks = [message.pk for message in map(self._message, which) if message]
        if pks:
            self._tell(f"an engine brings {[self.witness.codes[pk] for pk in pks]}")
            ends_at = time.monotonic() + PATIENCE
            send_now(pks, is_told_to_stop=lambda: time.monotonic() > ends_at)

    def _work(self) -> None:
        worker = Worker(concurrency=4)
        # One that finds the same over and over would go on for ever.
        patience = threading.Timer(PATIENCE, worker.stop)
        patience.start()
        try:
            worker.run_once()
        finally:
            if patience.finished.is_set():
                self.faults.append(RuntimeError(f"A worker went on for {PATIENCE} s."))
            patience.cancel()

    @rule(
        role=st.sampled_from(["one message", "one at the commit", "worker", "worker"]),
        template=template_codes,
        to=recipients,
        step=st.sampled_from(Step),
        occurrence=st.integers(1, 2),
    )
    def kill(self, role, template, to, step, occurrence):
        way, number = WAYS[role], self._number(to)
        if role == "worker":
            for one in (number, self.numbers[0]):
                self._write(services.queue_message, template, one, "alone", None)
            way = WAYS["worker with bulk"] if template.endswith("bulk") else way
            self._kill(way, step, occurrence)
            return
        code, params = self._params(template)
        if not self._may_be_sent(template, number, params):
            return
        # That it dies may leave no row of it, and then no receipt.
        role = functools.partial(way.role, template=template, params=params)
        by_wire_alone = template.endswith("bulk")
        self._tell(f"of {code}, {template} to {number}:")
        way = dataclasses.replace(way, role=role, by_wire_alone=by_wire_alone)
        self._kill(way, step, 1, number)

    def _kill(self, way: Way, step: Step, occurrence: int, *arguments: object) -> None:
        before = list(self.job.proxy.links)
        is_killed = kills.kill_at(self.job, way, step, occurrence, arguments)
        # What had left it arrives, whatever becomes of it.
        wait_until(
            lambda: all(one.ended.is_set() for one in self.job.proxy.links if one not in before),
            what="The end of a dead process's connections",
        )
        self._connect()
        self.done["kills"] += is_killed
        self.witness.kills += is_killed
        self._tell(f"a process {'is killed' if is_killed else 'was to die, and ends,'} {step}")

    def _may_be_sent(self, template: str, number: str, params: dict[str, str]) -> bool:
        with contextlib.suppress(InvalidMessage):
            return services.check_message(template, number, params).sendable
        return False

    @rule(seconds=spans)
    def tick(self, seconds):
        self._tell(f"{seconds} s pass")
        self._pass(seconds)

    def _pass(self, seconds: int) -> None:
        for model, names in MOVING.items():
            model.objects.update(**{name: F(name) - timedelta(seconds=seconds) for name in names})

    # --- The provider -----------------------------------------------------------------------------

    @rule(which=any_of_them, times=st.integers(1, 2), all_of_them=rarely)
    def refresh(self, which, times, all_of_them):
        if all_of_them:
            self._tell("refresh all")
            reports.refresh_many(MessageLog.objects.order_by("pk"), patience=PATIENCE)
        elif message := self._message(which):
            self._tell(f"refresh {self._name(message)}, {times} times")
            polls = MessageEvent.objects.filter(message=message, source="poll")
            before, asked = polls.count(), 0
            for _time in range(times):
                asked += self._refusable(lambda: services.refresh_status(message)) is not None
            if polls.count() != before + asked:
                raise Broken("wrong events", f"{polls.count()} questions, not {before} + {asked}")

    @rule(
        which=any_of_them,
        word=st.sampled_from(["true", "SUCCESS", "FAIL", "processing", "SOMETHING"]),
        by=st.sampled_from(["the provider", "the provider", "the provider", "a stranger"]),
        about=st.sampled_from(["it", "it", "it", "nobody"]),
        times=st.integers(1, 2),
        all_of_them=rarely,
    )
    def report(self, which, word, by, about, times, all_of_them):
        ids = self._ids()
        for provider_id in ids if all_of_them else filter(None, [pick(ids, which)]):
            told = self._last_word(provider_id) if word == "true" else word
            named = f"ICOMNI{next(codes):030x}" if about == "nobody" else provider_id
            self._tell(f"{by} reports {told} of {named}, {times} times")
            for _time in range(times):
                self._report(named, told, token=TOKEN if by == "the provider" else "a" * 20)

    def _last_word(self, provider_id: str) -> str:
        """Return what will at last have become of a message."""
        return self.witness.receipts[provider_id].outcome.effect.reports[-1].status

    def _ids(self) -> list[str]:
        """Return the ids that were given out, in their order, also those that nobody heard of."""
        self.witness.hear()
        return list(self.witness.receipts)

    def _report(self, provider_id: str, word: str, *, token: str = TOKEN) -> None:
        if self.witness.posted[provider_id] >= reports.MAX_REPORTS:
            # More are not taken.
            return
        receipt = self.witness.receipts.get(provider_id)
        body = {
            "IdOmniMess": provider_id,
            "Status": word,
            "Channel": "BrandnameSMS" if word == "SUCCESS" else "ZNS",
            "ErrorCode": "" if word == "SUCCESS" else "-118",
            "MtCount": 1 if word == "SUCCESS" else 0,
            "TelcoId": 3,
            "IsCharged": "True",
            # As the answer to a question has it, secrets included.
            "List_Param": json.dumps(receipt.list_param if receipt else {}),
        }
        answer = Client().post(f"/webhooks/{token}/", body, content_type="application/json")
        if answer.status_code != (200 if token == TOKEN else 404):
            raise Broken("faults", f"a report was answered {answer.status_code}")
        if token != TOKEN:
            return
        self.witness.posted[provider_id] += 1
        if not self.etelecom["CONFIRM_REPORTS"]:
            self.witness.believe(provider_id, word)

    def _connect(self) -> None:
        """Have connections as they are to be; those that stand would go on as they were."""
        self.job.proxy.behaviour = Hurrying(self._hurry) if self.hurries else Behaviour()
        self.job.proxy.cut()

    def _hurry(self, provider_id: str) -> None:
        try:
            self._report(provider_id, "SUCCESS")
        # In the proxy's thread nobody would see it: it is kept, and raised where somebody looks.
        except Exception as fault:  # noqa: BLE001
            self.faults.append(fault)

    # --- Staff ------------------------------------------------------------------------------------

    @rule(
        code=template_codes,
        change=st.sampled_from(["text", "secret", "required", "pin", "note", "active"]),
    )
    def edit_template(self, code, change):
        self._tell(f"edit {code}: {change}")
        template = MessageTemplate.objects.get(code=code)
        pin = template.parameters.filter(name="pin")
        note = template.parameters.filter(name="note")
        match change:
            case "text":
                template.text = f"{template.text[:50]} {{order_code}}"
            case "active":
                template.is_active = not template.is_active
            case "pin" | "note" if template.parameters.filter(name=change).exists():
                (pin if change == "pin" else note).delete()
            case "pin":
                template.parameters.create(name="pin", secret=True)
            case "note":
                template.parameters.create(name="note")
            case _:
                for parameter in pin:
                    setattr(parameter, change, not getattr(parameter, change))
                    parameter.save()
        template.save()

    @rule(account=st.sampled_from(ACCOUNTS), pauses=st.sampled_from([False, False, True]))
    def move_account(self, account, pauses):
        self._tell(f"{'pause' if pauses else 'resume'} {account}")
        if pauses:
            pace.pause(account, Reason.UNKNOWN_RUN)
        else:
            services.resume_account(account)

    @rule(to=recipients, what=st.sampled_from(["lift", "suppress", "erase"]))
    def move_number(self, to, what):
        number = self._number(to)
        self._tell(f"{what} {number}")
        match what:
            case "lift":
                services.lift_suppression(f"+{number}")
            case "suppress":
                services.suppress_number(f"+{number}", reason="staff")
            case _:
                services.erase_number(f"+{number}")
                left = MessageLog.objects.filter(recipient=number).exclude(status="sending")
                if left.exists():
                    raise Broken("faults", f"{left.count()} messages to {number} are not erased")

    @rule(
        confirms=st.booleans(),
        poll_after=st.sampled_from([[200], [20, 200], []]),
        hurries=st.booleans(),
        is_down=st.sampled_from([False, False, False, True]),
    )
    def change_surroundings(self, confirms, poll_after, hurries, is_down):
        self._tell(
            f"CONFIRM_REPORTS {confirms}, POLL_AFTER {poll_after}, reports come "
            f"{'before answers' if hurries else 'by themselves'}, the line is "
            f"{'cut' if is_down else 'well'}"
        )
        self.etelecom |= {"CONFIRM_REPORTS": confirms, "POLL_AFTER": poll_after}
        if not confirms:
            # What waits is believed when it comes to its message.
            for waiting in InboxReport.objects.all():
                self.witness.believe(waiting.provider_message_id, waiting.provider_status)
        self._surround(hurries=hurries, is_down=is_down)

    def _surround(self, *, hurries: bool, is_down: bool) -> None:
        self.hurries = hurries
        if is_down and not self.is_down:
            self.job.proxy.refuse()
        if self.is_down and not is_down:
            self.job.proxy.listen()
        self.is_down = is_down
        self._connect()

    # --- What must be true ------------------------------------------------------------------------

    @invariant()
    def all_is_as_it_has_to_be(self):
        self.witness.look()
        if self.faults:
            raise self.faults[0]
        self.done["steps"] += len(self.story) > self._told
        self._told = len(self.story)

    def teardown(self) -> None:
        try:
            if sys.exception() is self._fault_around:
                self._end()
        finally:
            fault = sys.exception()
            if isinstance(fault, Exception) and fault is not self._fault_around:
                self._tell_broken(fault)
            if self.is_down:
                self.job.proxy.listen()
        self.done.update(
            sequences=1,
            messages=len(self.witness.codes),
            requests=self.witness.number_received,
            reports=self.witness.posted.total(),
        )
        self.job.say(f"{self.done['sequences']} sequences")

    def _tell_broken(self, fault: Exception) -> None:
        # That the same went well the second time is no news.
        if not isinstance(fault, HypothesisException):
            type(self).broken = fault, self.story

    def _end(self) -> None:
        """Let all that is under way come to its end."""
        self._surround(hurries=False, is_down=False)
        for seconds in ENDS_WITHIN:
            # Nobody is asked: what became of a message keeps none under way.
            MessageLog.objects.update(next_poll_at=None)
            self._pass(seconds)
            for account in ACCOUNTS:
                services.resume_account(account)
            for campaign in Campaign.objects.filter(status="paused"):
                services.resume_campaign(campaign)
            self._work()
            self.all_is_as_it_has_to_be()
            if not MessageLog.objects.filter(status__in=UNDER_WAY).exists():
                break
        self._tell("the end")
        self.witness.look_at_the_end()
        self.done.update(MessageLog.objects.order_by().values_list("status", flat=True))

    # --- What rules have in common ----------------------------------------------------------------

    def _tell(self, what: str) -> None:
        self.story.append(what)

    def _number(self, to: int | str) -> str:
        return to if isinstance(to, str) else self.numbers[to]

    def _message(self, which: int) -> MessageLog | None:
        pk = pick(MessageLog.objects.order_by("pk").values_list("pk", flat=True), which)
        return pk and MessageLog.objects.get(pk=pk)

    def _name(self, message: MessageLog) -> str:
        return f"{self.witness.codes[message.pk]} ({message.status})"

    def _params(self, template: str) -> tuple[str, dict[str, str]]:
        """Return the code of a new message, and values for all parameters that it has today."""
        number = next(codes)
        of_template = TemplateParameter.objects.filter(template__code=template)
        params = {
            name: SECRET.format(number) if is_secret else f"open.{number:06}"
            for name, is_secret in of_template.values_list("name", "secret")
        }
        params[CODE] = f"DH-{number}"
        return params[CODE], params

    def _write(
        self,
        service: Callable[..., MessageLog],
        template: str,
        to: int | str,
        way: str,
        key: str | None,
        **options: Any,
    ) -> None:
        code, params = self._params(template)
        number = self._number(to)
        self._tell(
            f"{service.__name__} {code}, {template} to {number}, {way}"
            + "".join(f", {name} {value}" for name, value in options.items() if value)
            + (f", key {key}" if key else "")
        )

        def write(service: Callable[..., MessageLog], key: str | None, **options: Any):
            return service(template, number, params, idempotency_key=key, **options)

        message = self._asked(code, way, lambda: write(service, key, **options))
        if key is None or message is None:
            return
        at = message.account, key
        if at in self.keyed:
            raise Broken("written twice", f"key {key} was taken for other content")
        self.keyed[at] = Keyed(message.pk, write)

    def _asked(self, code: str, way: str, write: Callable[[], MessageLog]) -> MessageLog | None:
        """Write a message in some way; return it if it is to stay."""
        message = self._refusable(lambda: within(way, write))
        if message is None or way in ("rolled back", "undone alone"):
            self.witness.void.add(code)
            return None
        if way == "cancelled":
            self.witness.cancelled.add(code)
        return message

    def _refusable(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (InvalidMessage, SendBlocked, IdempotencyConflict) as refusal:
            self.story.append(f"refused: {type(refusal).__name__}")
            return None


def pick(among: Any, which: int) -> Any:
    """Return one of them; None where there is none."""
    found = list(among)
    return found[which % len(found)] if found else None


def later(seconds: int | None) -> Any:
    return seconds and timezone.now() + timedelta(seconds=seconds)


def within(way: str, write: Callable[[], MessageLog]) -> MessageLog | None:
    """Write a message in one of the `ways_to_write`."""
    if way == "alone":
        return write()
    with contextlib.suppress(Undone), transaction.atomic():
        if way == "undone alone":
            with contextlib.suppress(Undone), transaction.atomic():
                message = write()
                raise Undone
            return message
        message = write()
        if way == "cancelled":
            # Before it is committed, and so before it is sent.
            services.cancel_message(message)
        if way == "rolled back":
            raise Undone
    return message


def empty() -> None:
    """Have no message and what belongs to one, and the templates as they were."""
    with transaction.atomic():
        # Else one that is gone is pointed at for a moment, which MariaDB does not have.
        MessageLog.objects.exclude(resend_of=None).update(resend_of=None)
        for model in OURS:
            rows: Any = model._default_manager.all()
            rows._raw_delete(rows.db)
        MessageTemplate.objects.update(is_active=True, text="Order {order_code}: {pin}")
        TemplateParameter.objects.bulk_create(
            TemplateParameter(
                template=template,
                name=name,
                secret=name == "pin" and template.code.startswith("order"),
                position=position,
            )
            for template in MessageTemplate.objects.all()
            for position, name in enumerate([CODE, "pin"])
        )
