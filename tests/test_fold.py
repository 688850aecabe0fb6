"""One and the same final status, in whatever order the provider's words come."""

import random
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from django_etelecom import events, lifecycle, reports
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report
from django_etelecom.events import STRENGTH, Evidence
from django_etelecom.models import DayTally, InboxReport, MessageEvent, MessageLog, WaitTally
from django_etelecom.models.messages import Source, Status
from django_etelecom.reports import STATUS_BY_WORD
from tests.tallies import assert_tallies_are_the_truth

ID = "ICOMNI7"

SENDS = {
    "send": SendResult(outcome=Outcome.ACCEPTED, provider_message_id=ID),
    "send without an answer": SendResult(outcome=Outcome.UNKNOWN),
}
WORDS = {
    "processing": ("processing", ""),
    "fail on ZNS": ("fail", "ZNS"),
    "success on SMS": ("success", "SMS"),
}


def status_told(name):
    """Return what an event such as `poll: fail on ZNS` says."""
    if name in SENDS:
        return Status(SENDS[name].outcome)
    word, _channel = WORDS[name.partition(": ")[2]]
    return STATUS_BY_WORD[ReportedStatus(word)]


def tell(message, name):
    if name in SENDS:
        events.record_send(message, SENDS[name], can_be_asked=True)
        reports.match_inbox()
        return
    source, _, said = name.partition(": ")
    word, channel = WORDS[said]
    if source == "webhook":
        assert reports.keep(
            Report(provider_message_id=ID, status=ReportedStatus(word), channel=channel)
        )
    else:
        evidence = Evidence(source=Source.POLL, status=status_told(name), channel=channel)
        reports.record_answer(message, evidence)


def strongest(names):
    return max((status_told(name) for name in names), key=STRENGTH.index)


def possible(names):
    """Tell whether things can happen in this order: nobody is asked by an id that is not known."""
    polls = [at for at, name in enumerate(names) if name.startswith("poll")]
    return not polls or ("send" in names and names.index("send") < polls[0])


SIX = (
    "send",
    "poll: fail on ZNS",
    "poll: success on SMS",
    "webhook: processing",
    "webhook: fail on ZNS",
    "webhook: success on SMS",
)
REPLAYED = ("send", "webhook: fail on ZNS", "webhook: fail on ZNS", "poll: processing")


@pytest.mark.parametrize("names", [SIX, REPLAYED])
@pytest.mark.parametrize("confirms", [True, False])
@pytest.mark.django_db
def test_fold__every_order_of_up_to_six(make, settings, names, confirms):
    settings.ETELECOM = {**settings.ETELECOM, "CONFIRM_REPORTS": confirms}
    make(status="sending")

    assert explore((), names, confirms=confirms) >= {SIX: 600, REPLAYED: 15}[names]


def explore(told, left, *, confirms):
    """Tell what is left in every order after what was told; return how many orders were seen."""
    seen = 0
    for name in dict.fromkeys(left):
        order = (*told, name)
        if not possible(order):
            continue
        with transaction.atomic():
            tell(MessageLog.objects.get(), name)
            if "send" in order:
                counted = [one for one in order if not (confirms and one.startswith("webhook"))]
                row = MessageLog.objects.get()
                assert row.status == strongest(counted), order
                assert row.events.count() == len(order), order
                assert not InboxReport.objects.exists(), order
                sums = DayTally.objects.values_list("status", "channel").annotate(n=Sum("number"))
                assert list(sums.filter(n__gt=0)) == [(row.status, row.channel, 1)], order
            rest = list(left)
            rest.remove(name)
            seen += 1 + explore(order, rest, confirms=confirms)
            # Back to where this branch began.
            transaction.set_rollback(True)
    return seen


ENDLESS = settings(
    max_examples=60,
    stateful_step_count=12,
    suppress_health_check=list(HealthCheck),
)


class Life(RuleBasedStateMachine):
    """Everything that can happen to a message, in any order, against a model of three lines."""

    template = None

    @initialize(confirms=st.booleans())
    def born(self, confirms):
        MessageEvent.objects.all().delete()
        InboxReport.objects.all().delete()
        MessageLog.objects.all().delete()
        DayTally.objects.all().delete()
        WaitTally.objects.all().delete()
        self.etelecom["CONFIRM_REPORTS"] = self.confirms = confirms
        now = timezone.now()
        self.message = MessageLog.objects.create(
            template=self.template,
            template_code=self.template.code,
            account="default",
            recipient="84912345678",
            channels=["1", "3"],
            status="sending",
            sent_at=now,
            lease_expires_at=now + timedelta(minutes=1),
        )
        self.status = Status.SENDING
        self.is_answered = False
        self.waiting = []
        self.told = 0

    def hear(self, status):
        if self.status is Status.SENDING or (STRENGTH.index(status) > STRENGTH.index(self.status)):
            self.status = status

    @precondition(lambda self: not self.is_answered)
    @rule(name=st.just("send"))
    def the_send_is_answered(self, name):
        tell(self.message, name)
        self.is_answered = True
        self.told += 1 + len(self.waiting)
        self.hear(Status.ACCEPTED)
        for status in self.waiting:
            if not self.confirms:
                self.hear(status)
        self.waiting = []

    @precondition(lambda self: self.status is Status.SENDING)
    @rule()
    def the_lease_lapses(self):
        MessageLog.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        assert lifecycle.sweep() == 1
        self.status = Status.UNKNOWN

    @precondition(lambda self: self.is_answered)
    @rule(said=st.sampled_from(list(WORDS)))
    def the_provider_is_asked(self, said):
        tell(self.message, f"poll: {said}")
        self.told += 1
        self.hear(status_told(f"poll: {said}"))

    @rule(said=st.sampled_from(list(WORDS)))
    def a_report_comes(self, said):
        name = f"webhook: {said}"
        tell(self.message, name)
        if not self.is_answered:
            self.waiting.append(status_told(name))
            return
        self.told += 1
        if not self.confirms:
            self.hear(status_told(name))

    @rule()
    def the_worker_matches(self):
        reports.match_inbox()

    @invariant()
    def status_is_the_strongest_word(self):
        row = MessageLog.objects.get()
        assert row.status == self.status
        assert row.events.count() == self.told
        assert InboxReport.objects.count() == len(self.waiting)
        if self.status is Status.DELIVERED:
            assert row.next_poll_at is None
        assert_tallies_are_the_truth()


@pytest.mark.django_db
def test_fold__any_life(order_template, settings):
    settings.ETELECOM = {**settings.ETELECOM}
    machine = type(
        "LifeOfOne", (Life,), {"template": order_template, "etelecom": settings.ETELECOM}
    )

    run_state_machine_as_test(machine, settings=ENDLESS)


@pytest.mark.parametrize("round_number", range(6))
@pytest.mark.parametrize("confirms", [True, False])
@pytest.mark.django_db(transaction=True)
def test_fold__all_at_once(make, settings, confirms, round_number):
    settings.ETELECOM = {**settings.ETELECOM, "CONFIRM_REPORTS": confirms}
    message = make(status="sending", provider_message_id="")
    names = [*SIX, "webhook: success on SMS", "webhook: fail on ZNS"]
    random.Random(round_number).shuffle(names)  # noqa: S311
    together = threading.Barrier(len(names))
    has_id = threading.Event()
    faults = []

    def run(name):
        try:
            mine = MessageLog.objects.get()
            together.wait()
            if name.startswith("poll"):
                has_id.wait(20)
                mine.refresh_from_db()
            tell(mine, name)
            if name == "send":
                has_id.set()
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reports.match_inbox()

    assert faults == []
    row = MessageLog.objects.get(pk=message.pk)
    assert row.status == "delivered"
    assert row.events.count() == len(names)
    assert not InboxReport.objects.exists()
    assert_tallies_are_the_truth()
