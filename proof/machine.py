"""What rules have in common: a site that lives, how it is looked at, and how its life ends."""

import contextlib
import dataclasses
import itertools
import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine, invariant

from django_etelecom import models, reports, services
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage, SendBlocked
from django_etelecom.models import (
    Campaign,
    MessageLog,
    MessageTemplate,
    TemplateParameter,
)
from django_etelecom.worker import Worker

from .job import Job
from .processes import PATIENCE
from .proxy import Behaviour
from .witness import CODE, SECRET, UNDER_WAY, Broken, Witness

TOKEN = "token-of-the-proof-0001"

ACCOUNTS = ("default", "bulk")

codes = itertools.count(1)

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


class Machine(RuleBasedStateMachine):
    """A site with some numbers to write to, and what it has been through; `Life` has the rules."""

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

    # --- What happens to a site -------------------------------------------------------------------

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

    def _pass(self, seconds: int) -> None:
        for model, names in MOVING.items():
            model.objects.update(**{name: F(name) - timedelta(seconds=seconds) for name in names})

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

    def _surround(self, *, hurries: bool, is_down: bool) -> None:
        self.hurries = hurries
        if is_down and not self.is_down:
            self.job.proxy.refuse()
        if self.is_down and not is_down:
            self.job.proxy.listen()
        self.is_down = is_down
        self._connect()


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
