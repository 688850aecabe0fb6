"""A message's record: the row it begins with, written once for each idempotency key."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from . import guards, lifecycle, spending
from .conf import settings
from .drafts import Draft
from .exceptions import IdempotencyConflict, InvalidMessage, SendBlocked
from .models import MessageLog, MessageTemplate
from .models.clock import DatabaseNow
from .models.messages import Status
from .queued import seal_secrets
from .transactions import run_until_done


def row_to_send(draft: Draft, *, at_commit: bool, resend_of: MessageLog | None) -> MessageLog:
    """Return the row of a message that this process sends.

    Args:
        draft: the checked message.
        at_commit: it waits for the caller's commit; else writing the row is itself the claim.
        resend_of: the message that it repeats.
    """
    lease = lifecycle.BIRTH_LEASE if at_commit else lifecycle.lease(draft.backend.account)
    message = _row_of(draft)
    message.resend_of = resend_of
    message.lease_expires_at = DatabaseNow(after=lease)
    if not at_commit:
        message.status = Status.SENDING
        message.attempts = 1
        message.sent_at = message.created_at
    return message


def row_to_queue(draft: Draft) -> MessageLog:
    """Return the row of a message that waits for a worker, its secrets encrypted."""
    message = _row_of(draft)
    message.send_at = draft.send_at or DatabaseNow()
    # It ends by itself where no worker has taken it by then.
    message.lease_expires_at = message.expires_at
    message.sealed_params = seal_secrets(message.public_id, draft.wire)
    return message


def _row_of(draft: Draft) -> MessageLog:
    now = timezone.now()
    worth_it = settings.expires_after(draft.template.category)
    if draft.send_at is not None and draft.send_at > now:
        default_expiry: Any = draft.send_at + worth_it
    else:
        default_expiry = DatabaseNow(after=worth_it)
    return MessageLog(
        template_id=draft.template.pk,
        template_code=draft.template.code,
        account=draft.template.account,
        recipient=draft.recipient,
        params=draft.wire.masked(),
        channels=list(draft.channels),
        requested_route=draft.requested_route,
        sent_by_id=draft.sender_pk,
        metadata=draft.metadata,
        idempotency_digest=draft.idempotency_digest,
        # What no key asks for is not kept, not even as a hash: a few digits are soon tried.
        content_digest=draft.content_digest() if draft.idempotency_digest else "",
        created_at=now,
        updated_at=now,
        expires_at=draft.expires_at or default_expiry,
    )


def write(message: MessageLog, draft: Draft) -> MessageLog | None:
    """Write the row if the guards let it; return the earlier one where its key is taken.

    Raises:
        SendBlocked: a guard stops it, and its idempotency key is not taken.
        IdempotencyConflict: the earlier one is of other content.
        InvalidMessage: something it points at is gone, or it is too late for it and its idempotency
            key is not taken.
        OperationalError: the earlier one is not to be seen from inside the caller's transaction.
    """
    if draft.late:
        # Nothing is sent by it, but what was sent in time is told.
        earlier = _of_its_key(message)
        if earlier is None:
            raise InvalidMessage(draft.late)
        return _same(earlier, draft)
    database = MessageLog.database()
    try:
        # What a draft that waits meets when its turn comes is `guards.at_dispatch`'s.
        guards.admit(draft, at_once=message.send_at is None)
        if transaction.get_connection(database).in_atomic_block:
            _insert(message, draft, database)
        else:
            run_until_done(lambda: _insert(message, draft, database))
    except IntegrityError as error:
        return _same(_earlier(message, error), draft)
    except SendBlocked:
        # What was let through once is no second message.
        earlier = _of_its_key(message)
        if earlier is None:
            raise
        return _same(earlier, draft)
    spending.note_single(draft.account, draft.template.category)
    if message.send_at is None:
        spending.note_sending(draft.account, 1)
    message.forget_expressions()
    return None


def _insert(message: MessageLog, draft: Draft, database: str) -> None:
    has_turns = guards.has_turns(draft)
    if not has_turns and not transaction.get_connection(database).in_atomic_block:
        message.save(force_insert=True, using=database)
        return
    # In the caller's transaction a savepoint, which neither a taken key nor a guard breaks.
    with transaction.atomic(using=database):
        if has_turns:
            guards.take_turn(draft, message)
        message.save(force_insert=True, using=database)


def _of_its_key(message: MessageLog) -> MessageLog | None:
    digest = message.idempotency_digest
    return MessageLog.of_key(message.account, digest) if digest else None


def _earlier(message: MessageLog, error: IntegrityError) -> MessageLog:
    """Return the row that has the idempotency key of `message`, which could not be written.

    Raises:
        InvalidMessage: it was for another reason, that something it points at is gone.
        OperationalError: the row is not to be seen from inside the caller's transaction.
        IntegrityError: anything else.
    """
    database = MessageLog.database()
    if message.idempotency_digest:
        found = _of_its_key(message)
        if found is not None:
            return found
        if "idempotency_digest" in str(error) or "etelecom_message_once" in str(error):
            raise OperationalError(
                "A concurrent transaction wrote a message of this idempotency key: "
                "run this transaction again."
            ) from error
    pointed_at: dict[str, tuple[type[Model], Any]] = {
        "template": (MessageTemplate, message.template_id),
        "sent_by": (get_user_model(), message.sent_by_id),
        "resend_of": (MessageLog, message.resend_of_id),
    }
    gone = {
        field: [_("It does not exist any more.")]
        for field, (model, pk) in pointed_at.items()
        if pk is not None and not model._base_manager.using(database).filter(pk=pk).exists()
    }
    if gone:
        raise InvalidMessage(gone) from error
    raise error


def _same(earlier: MessageLog, draft: Draft) -> MessageLog:
    if not draft.is_content_of(earlier):
        raise IdempotencyConflict(
            _("This idempotency key was already used for a message of other content (%(id)s).")
            % {"id": earlier.public_id}
        )
    earlier.is_replay = True
    if earlier.status == Status.QUEUED and earlier.send_at is None:
        # Perhaps by the same transaction, which sends it at its commit.
        database = MessageLog.database()
        transaction.on_commit(
            lambda: earlier.refresh_from_db(using=database), database, robust=True
        )
    return earlier
