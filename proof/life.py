"""What can happen to the messages of a site, several of which live at once: a rule for each thing.

What is drawn never depends on what came of it before, so that a sequence can be run again and
shortened: a rule that finds nothing to do does nothing.
"""

import contextlib
import dataclasses
import functools
import time

from hypothesis import strategies as st
from hypothesis.stateful import rule

from django_etelecom import pace, reports, services
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.models import (
    Campaign,
    InboxReport,
    MessageEvent,
    MessageLog,
    MessageTemplate,
)
from django_etelecom.models.messages import Reason
from django_etelecom.sender import send_now
from django_etelecom.simulator.outcomes import Outcome

from . import kills
from .kills import WAYS, Way
from .machine import ACCOUNTS, TOKEN, Machine, codes, later, pick, within
from .processes import PATIENCE, wait_until
from .steps import Step
from .witness import CODE, Broken, sessions

OUTCOMES = [
    outcome
    for outcome in Outcome
    # Megabytes cost more than all the rest, and are the part of another check.
    if outcome not in (Outcome.HUGE_BODY, Outcome.GZIP_BOMB)
]
TEMPLATES = ("offer", "order", "offer_bulk", "order_bulk")

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


class Life(Machine):
    """A site whose messages live through whatever is drawn."""

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
        before, sessions_before = list(self.job.proxy.links), sessions()
        is_killed = kills.kill_at(
            self.job, way, step, arguments, occurrence=occurrence, within=way.works_for
        )
        # What had left it arrives, whatever becomes of it.
        wait_until(
            lambda: all(one.ended.is_set() for one in self.job.proxy.links if one not in before),
            what="The end of a dead process's connections",
        )
        # What it had asked of the database last, such as to commit, is done as well.
        wait_until(
            lambda: sessions() <= sessions_before, what="The end of a dead process's sessions"
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
