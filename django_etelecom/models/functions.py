"""What PostgreSQL does by functions of its own, made anew by each `migrate`.

It keeps a function's plan, which takes more of a short statement than running it does.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import connections, router

from .messages import MessageEvent, MessageLog, ReportedMessage, Source

_EVENT, _MESSAGE, _REPORTED = (
    model._meta.db_table for model in (MessageEvent, MessageLog, ReportedMessage)
)

_TOLD = f"""
    status = told_status, reason = '', status_source = '{Source.WEBHOOK}',
    provider_status = told_words, provider_detail = '', channel = told_channel,
    error_code = told_error_code, network = told_network, paid_messages = told_paid,
    next_poll_at = NULL, updated_at = told_at
"""
"""What `events.record` sets of a message that has ended."""

_KEEP_REPORT = f"""
CREATE OR REPLACE FUNCTION etelecom_keep_report(
    told_id text, told_status text, told_words text, told_channel text, told_error_code text,
    told_network text, told_paid integer, told_payload text, told_at timestamptz,
    most_reports integer, to_be_asked boolean, movable text[],
    OUT event_pk bigint, OUT has_moved boolean
) LANGUAGE plpgsql AS $$
DECLARE
    kept_for bigint;
BEGIN
    has_moved := false;
    INSERT INTO {_EVENT} (
        message_id, source, status, reason, provider_status, provider_detail, channel, error_code,
        failure_detail, payload, created_at
    )
    SELECT
        message.id, '{Source.WEBHOOK}', told_status, '', told_words, '', told_channel,
        told_error_code, '', told_payload, told_at
    FROM {_MESSAGE} AS message
    WHERE message.provider_message_id = told_id
    -- A campaign counts the messages that move. Not as a condition that an index has: where the
    -- table was young when this was planned, all messages of no campaign would be looked through.
    AND (message.campaign_id + 0 IS NULL OR cardinality(movable) = 0)
    AND NOT EXISTS (
        SELECT 1 FROM {_MESSAGE} AS namesake
        WHERE namesake.provider_message_id = told_id AND namesake.id <> message.id
    )
    AND most_reports > (
        SELECT count(*) FROM {_EVENT} AS earlier
        WHERE earlier.message_id = message.id AND earlier.source = '{Source.WEBHOOK}'
    )
    RETURNING message_id, id INTO kept_for, event_pk;
    IF kept_for IS NULL THEN
        RETURN;
    END IF;
    IF to_be_asked THEN
        INSERT INTO {_REPORTED} (message_id) VALUES (kept_for) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(movable) > 0 THEN
        UPDATE {_MESSAGE} SET {_TOLD} WHERE id = kept_for AND status = ANY(movable);
        has_moved := FOUND;
        IF NOT has_moved THEN
            -- It says again what is known, perhaps with more about it.
            UPDATE {_MESSAGE} SET {_TOLD}
            WHERE id = kept_for AND status = told_status AND status_source = '{Source.WEBHOOK}';
        END IF;
    END IF;
END
$$
"""  # noqa: S608  # names of tables alone


_TOLD_BY = (
    "provider_message_id",
    "status",
    "provider_status",
    "channel",
    "error_code",
    "network",
    "paid_messages",
    "payload",
    "received_at",
    "max_reports",
    "to_be_asked",
    "movable",
)
_CALL = f"SELECT * FROM etelecom_keep_report({', '.join(['%s'] * len(_TOLD_BY))})"  # noqa: S608


class Kept(NamedTuple):
    """A report that was kept by the database's function."""

    event_pk: int
    has_moved: bool
    """Whether the message moved by it."""


def create_functions(*, using: str, **_: Any) -> None:
    """Receive `post_migrate`."""
    if has_functions(using) and router.allow_migrate_model(using, MessageLog):
        with connections[using].cursor() as cursor:
            cursor.execute(_KEEP_REPORT)


def has_functions(database: str) -> bool:
    """Tell whether the database of this alias is of the kind that has them."""
    return connections[database].vendor == "postgresql"


def keep_report(database: str, told: Mapping[str, Any]) -> Kept | None:
    """Keep a report of exactly one message that has not too many. None: it is none of those.

    Args:
        database: the alias of one that has the functions.
        told: columns of the event and the message, `provider_message_id`, `received_at`,
            `max_reports` (that a message may have), `to_be_asked` (whether the worker is to ask
            about it at once) and `movable` (the statuses that the report, which ends the message,
            moves it on from; empty: it moves nothing).
    """
    with connections[database].cursor() as cursor:
        cursor.execute(_CALL, [told[name] for name in _TOLD_BY])
        kept = Kept(*cursor.fetchone())
    return kept if kept.event_pk is not None else None
