"""START HERE: everything the app does for you is one function of this module.

The way of a message: its parameters and its recipient are checked and brought to wire form
(`drafts.py`), its record is written (`records.py`), and once the caller's transaction has
committed `delivery.py` claims it, makes one POST and records the answer. A queued message waits in
its row for a worker (`sender.py`), which does the same for many at once.
"""

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from . import delivery, guards, hours, lifecycle, pace, records, reports
from .accounts import backend_for
from .campaigns import cancel_campaign as cancel_campaign
from .campaigns import pause_campaign as pause_campaign
from .campaigns import queue_campaign as queue_campaign
from .campaigns import resume_campaign as resume_campaign
from .campaigns import retry_campaign as retry_campaign
from .campaigns import start_campaign as start_campaign
from .client.opaque import Opaque
from .conf import settings
from .disclosure import export_number as export_number
from .dispatchers import dispatch
from .drafts import Draft, prepare
from .exceptions import InvalidMessage
from .foresight import foresee_campaign as foresee_campaign
from .models import MessageLog, MessageTemplate, RouteRule
from .numbers import lift_suppression as lift_suppression
from .numbers import record_consent as record_consent
from .numbers import suppress_number as suppress_number
from .numbers import withdraw_consent as withdraw_consent
from .privacy import erase_number as erase_number
from .template_import import check_import as check_import
from .template_import import import_templates as import_templates
from .transactions import refuse_inside_atomic
from .uploads import begin_campaign as begin_campaign
from .uploads import begin_upload as begin_upload
from .uploads import check_campaign as check_campaign
from .uploads import choose_columns as choose_columns
from .uploads import load_parts as load_parts
from .verdicts import Verdict

Value: TypeAlias = str | int | Decimal | date | time | datetime
"""What a parameter's value may be; instants are written in Asia/Ho_Chi_Minh."""


def send_message(
    template: str | MessageTemplate,
    to: str,
    params: Mapping[str, Value] | None = None,
    *,
    route: RouteRule | str | None = None,
    idempotency_key: str | None = None,
    sent_by: Any = None,
    expires_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> MessageLog:
    """Send a message by a template: one attempt, now.

    Inside `atomic()` it is sent once the transaction has committed, and the returned instance is
    brought up to date then; a transaction that is rolled back has sent nothing. What the provider
    says is the `status` of the returned row, never an exception; `raise_for_status()` makes one.

    Args:
        template: a template or its code.
        to: the phone number as a person typed it.
        params: the template's parameters by name. Optional ones may be left out.
        route: a route rule or its name; else the template's, else the default.
        idempotency_key: a name for this message of your choosing, unique in its account. A second
            call with the same key and the same content returns the first row and sends nothing.
        sent_by: the user who sends, for the record.
        expires_at: aware datetime after which it is not worth sending; by default ten minutes
            from now for one-time passwords, a day otherwise (`EXPIRES_AFTER`).
        metadata: your own data, kept with the row as JSON.

    Raises:
        InvalidMessage: something about the message is wrong; all of it is told at once.
        SendBlocked: a guard stops it (`GUARDS`, a pause, a cap); nothing was written.
        IdempotencyConflict: the key was used before for other content.
        ImproperlyConfigured: the template's account cannot work as it is set.
        TransactionManagementError: autocommit is off and there is no `atomic()`.
        OperationalError: another transaction wrote a message of this key, and this one, isolated
            as it is, cannot see it: nothing was sent; run the transaction again.
    """
    values = Opaque(params)
    del params  # An error reporter that reads this frame finds no one-time password in it.
    draft = prepare(
        template,
        to,
        values,
        route=route,
        idempotency_key=idempotency_key,
        sent_by=sent_by,
        expires_at=expires_at,
        metadata=metadata,
    )
    return _send(draft)


def queue_message(
    template: str | MessageTemplate,
    to: str,
    params: Mapping[str, Value] | None = None,
    *,
    route: RouteRule | str | None = None,
    idempotency_key: str | None = None,
    sent_by: Any = None,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> MessageLog:
    """Queue a message for a worker, which sends it once the caller's transaction has committed.

    What is queued is what is sent, whatever becomes of the template meanwhile. An attempt of which
    provably nothing left is made again until `expires_at`; none that may have left ever is. Secret
    parameters are encrypted in the row until it is sent.

    Args:
        template: as in `send_message`, like all that is not told here.
        to: the phone number as a person typed it.
        params: the template's parameters by name.
        route: a route rule or its name.
        idempotency_key: a name for this message of your choosing.
        sent_by: the user who sends.
        send_at: aware datetime before which it is not sent; by default it is sent at once.
        expires_at: aware datetime after which it is not worth sending; by default ten minutes
            after `send_at` for one-time passwords, a day otherwise (`EXPIRES_AFTER`).
        metadata: your own data, kept with the row as JSON.

    Raises:
        InvalidMessage, IdempotencyConflict, ImproperlyConfigured, OperationalError,
            TransactionManagementError: as `send_message`.
        SendBlocked: as `send_message`, but that it waits where its account is paused and for the
            hours of its channels.
    """
    values = Opaque(params)
    del params  # As in `send_message`.
    draft = prepare(
        template,
        to,
        values,
        route=route,
        idempotency_key=idempotency_key,
        sent_by=sent_by,
        send_at=send_at,
        expires_at=expires_at,
        metadata=metadata,
    )
    connection = _connection()
    draft = _for_its_hours(draft)
    message = records.row_to_queue(draft)
    earlier = records.write(message, draft)
    if earlier is not None:
        return earlier
    if draft.send_at is None or draft.send_at <= timezone.now():
        transaction.on_commit(lambda: dispatch([message.pk]), connection.alias, robust=True)
    return message


def _for_its_hours(draft: Draft) -> Draft:
    """Have a message that is queued wait until all channels of its route are open."""
    now = timezone.now()
    asked = max(draft.send_at or now, now)
    opens = guards.opening(draft, asked)
    if opens is None or opens == asked:
        return draft
    late = draft.late
    if draft.expires_at is not None and draft.expires_at <= opens:
        sentence = _("This is before the hours in which it may be sent, which begin at %(opens)s.")
        told = date_format(opens.astimezone(hours.ZONE), "H:i d/m")
        late = {**late, "expires_at": [sentence % {"opens": told}]}
    return dataclasses.replace(draft, send_at=opens, late=late)


def _connection() -> BaseDatabaseWrapper:
    """Return the connection to the messages, of which it can be told when it has committed."""
    connection: BaseDatabaseWrapper = transaction.get_connection(MessageLog.database())
    if not connection.in_atomic_block and not connection.get_autocommit():
        raise TransactionManagementError(
            "Messages cannot be sent while autocommit is off: use transaction.atomic()."
        )
    return connection


def _send(draft: Draft, *, resend_of: MessageLog | None = None) -> MessageLog:
    connection = _connection()
    # Inside the caller's transaction the row waits for its commit. Outside, the INSERT is itself
    # the claim, and it is committed before a connection to the provider is opened.
    at_commit = connection.in_atomic_block
    message = records.row_to_send(draft, at_commit=at_commit, resend_of=resend_of)
    earlier = records.write(message, draft)
    if earlier is not None:
        return earlier
    outgoing = draft.outgoing(message)
    if at_commit:
        transaction.on_commit(
            lambda: delivery.deliver_at_commit(message, outgoing, draft.backend), connection.alias
        )
    else:
        delivery.send_claimed(message, outgoing, draft.backend)
    return message


@dataclasses.dataclass(frozen=True, slots=True)
class MessageCheck:
    """What would be sent, and what would stop it."""

    template: str
    """The template's code."""
    recipient: str
    """The number in wire form, such as `84912345678`."""
    channels: tuple[str, ...]
    """The provider's channel numbers in the order in which they are tried."""
    text: str
    """The template's text with the values in their places, secrets masked."""
    wire: dict[str, Any]
    """The request's body without credentials, secrets masked."""
    verdicts: tuple[Verdict, ...]
    """What each guard says."""

    @property
    def sendable(self) -> bool:
        """Whether every guard lets it pass."""
        return all(verdict.passes for verdict in self.verdicts)


def check_message(
    template: str | MessageTemplate,
    to: str,
    params: Mapping[str, Value] | None = None,
    *,
    route: RouteRule | str | None = None,
) -> MessageCheck:
    """Do everything that `send_message` does but writing and sending.

    Raises:
        InvalidMessage: something about the message is wrong; all of it is told at once.
        ImproperlyConfigured: the template's account cannot work as it is set.
    """
    values = Opaque(params)
    del params  # As in `send_message`.
    draft = prepare(template, to, values, route=route)
    return MessageCheck(
        template=draft.template.code,
        recipient=draft.recipient,
        channels=draft.channels,
        text=draft.text(),
        wire=draft.body(),
        verdicts=guards.verdicts(draft),
    )


def refresh_status(message: MessageLog) -> MessageLog:
    """Ask the provider what became of a message, and record what it says.

    Always asks, whatever is known already. An answer that cannot be understood becomes an event
    and moves nothing. The given instance shows the row afterwards.

    Raises:
        InvalidMessage: the message is not stored, was stripped, the provider gave it no id, or its
            account's backend cannot be asked.
        ImproperlyConfigured: the account cannot work as it is set.
        TransactionManagementError: inside `atomic()`: it would be held open over the network, and a
            rollback would lose the answer.
    """
    first = _stored(message)
    if first.is_stripped:
        raise InvalidMessage({"message": [_("It was stripped, by retention or on request.")]})
    if not first.provider_message_id:
        raise InvalidMessage({"message": [_("The provider gave this message no id to ask by.")]})
    backend = backend_for(first.account)
    if not backend.can_be_asked:
        raise InvalidMessage({"message": [_("The backend of its account cannot be asked.")]})
    refuse_inside_atomic("refresh_status", using=MessageLog.database())
    evidence, interrupt = reports.ask(first, backend)
    reports.record_answer(first, evidence)
    try:
        message.refresh_from_db(using=MessageLog.database())
    except MessageLog.DoesNotExist:
        raise InvalidMessage({"message": [_("It was deleted when its retention ended.")]}) from None
    if interrupt is not None:
        raise interrupt
    return message


def resend_message(
    message: MessageLog,
    *,
    to: str | None = None,
    params: Mapping[str, Value] | None = None,
    route: RouteRule | str | None = None,
    idempotency_key: str | None = None,
    sent_by: Any = None,
) -> MessageLog:
    """Send a message again as a new row, linked to the first by `resend_of`.

    This is a person's decision: the first one may have arrived. Today's template and its schema
    apply, and old values of parameters that it has no more are left out. A secret was never stored
    and must be given again.

    Args:
        message: the message to repeat.
        to: another recipient; else the same.
        params: values that take the place of the old ones.
        route: another route; else the one the first was asked to take, else the template's.
        idempotency_key: as in `send_message`.
        sent_by: the user who sends, for the record.

    Raises:
        InvalidMessage: as `send_message`; also `message` where it is no stored message or was
            stripped, and `params.<name>` of a secret that was not given again (a blank one
            leaves it out).
        SendBlocked, IdempotencyConflict, ImproperlyConfigured, TransactionManagementError,
            OperationalError: as `send_message`.
    """
    first = _stored(message)
    if first.is_stripped:
        raise InvalidMessage(
            {
                "message": [
                    _(
                        "Its recipient and parameters were erased, by retention or on request: "
                        "send a new message."
                    )
                ]
            }
        )
    todays_names = set(first.template.parameters.values_list("name", flat=True))
    # The mask of a secret is among them, and is refused where nothing takes its place.
    kept = {name: value for name, value in first.params.items() if name in todays_names}
    given: Any = {} if params is None else params
    values = Opaque({**kept, **given} if isinstance(given, Mapping) else given)
    del params, given  # As in `send_message`.
    draft = prepare(
        first.template,
        first.recipient if to is None else to,
        values,
        route=first.requested_route if route is None else route,
        idempotency_key=idempotency_key,
        sent_by=sent_by,
    )
    return _send(draft, resend_of=first)


def _stored(message: object) -> MessageLog:
    rows = MessageLog.objects.using(MessageLog.database()).select_related("template")
    known = isinstance(message, MessageLog) and rows.filter(lifecycle.itself(message)).first()
    if not known:
        raise InvalidMessage({"message": [_("This is not a stored message.")]})
    return known


def cancel_message(message: MessageLog) -> MessageLog:
    """Cancel a message that is still queued; any other comes back as it is now.

    Raises:
        InvalidMessage: it is not stored.
    """
    lifecycle.cancel(_stored(message))
    message.refresh_from_db(using=MessageLog.database())
    return message


def resume_account(alias: str) -> bool:
    """Let the queued messages of a paused account go again.

    Returns:
        False: it was not paused.

    Raises:
        ImproperlyConfigured: `ACCOUNTS` has none called so, and none called so was ever paused.
    """
    if pace.resume(alias):
        return True
    if alias not in settings.account_aliases and not pace.knows(alias):
        # Raises, and names those that there are.
        settings.account(alias)
    return False
