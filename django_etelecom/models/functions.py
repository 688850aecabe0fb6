"""What PostgreSQL does by functions of its own, made anew by each `migrate`.

It keeps a function's plan, which takes more of a short statement than running it does.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import connections, router

from .campaigns import CampaignTally
from .messages import MessageEvent, MessageLog, ReportedMessage, Source
from .summary import DayTally, WaitTally
from .tallies import BUCKETS_AN_OCTAVE, UNDER_WAY

_EVENT, _MESSAGE, _REPORTED, _CAMPAIGN_TALLY, _DAY_TALLY, _WAIT_TALLY = (
    model._meta.db_table
    for model in (MessageEvent, MessageLog, ReportedMessage, CampaignTally, DayTally, WaitTally)
)
_UNDER_WAY = ", ".join(f"'{status}'" for status in sorted(UNDER_WAY))

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
    most_reports integer, to_be_asked boolean,
    movable text[] DEFAULT '{{}}', zone text DEFAULT 'UTC',
    OUT event_pk bigint, OUT has_moved boolean
) LANGUAGE plpgsql AS $$
DECLARE
    kept_for bigint;
    was {_MESSAGE}%ROWTYPE;
    was_day date;
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
    -- Locked, so that who strips the message has done so, or passes over it; and at once as firmly
    -- as it takes to move it: of two that share it, and then ask for more, one would be undone.
    IF cardinality(movable) = 0 THEN
        SELECT recipient INTO was.recipient FROM {_MESSAGE} WHERE id = kept_for FOR KEY SHARE;
    ELSE
        SELECT * INTO was FROM {_MESSAGE} WHERE id = kept_for FOR UPDATE;
    END IF;
    IF was.recipient = '' THEN
        UPDATE {_EVENT} SET provider_status = '', payload = '' WHERE id = event_pk;
        RETURN;
    END IF;
    IF to_be_asked THEN
        INSERT INTO {_REPORTED} (message_id) VALUES (kept_for) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(movable) = 0 THEN
        RETURN;
    END IF;
    has_moved := was.status = ANY(movable);
    -- Or it says again what is known, perhaps with more about it.
    IF has_moved OR (was.status = told_status AND was.status_source = '{Source.WEBHOOK}') THEN
        UPDATE {_MESSAGE} SET {_TOLD} WHERE id = kept_for;
        was_day := (coalesce(was.sent_at, was.created_at) AT TIME ZONE zone)::date;
        INSERT INTO {_DAY_TALLY} (
            day, account, template_code, channel, network, status, number, paid_messages
        )
        SELECT was_day, was.account, was.template_code, counted.* FROM (VALUES
            (was.channel, was.network, was.status, -1, -coalesce(was.paid_messages, 0)),
            (told_channel, told_network, told_status, 1, coalesce(told_paid, 0))
        ) AS counted (channel, network, status, number, paid_messages)
        WHERE counted.status NOT IN ({_UNDER_WAY});
    END IF;
    IF has_moved AND was.sent_at IS NOT NULL THEN
        INSERT INTO {_WAIT_TALLY} (day, bucket, number) VALUES (was_day, floor(
            {BUCKETS_AN_OCTAVE} * ln(greatest(extract(epoch FROM told_at - was.sent_at), 1)) / ln(2)
        ), 1);
    END IF;
    IF has_moved AND was.campaign_id IS NOT NULL THEN
        INSERT INTO {_CAMPAIGN_TALLY} (campaign_id, status, number)
        SELECT was.campaign_id, counted.* FROM (VALUES
            (was.status, -1), (told_status, 1)
        ) AS counted (status, number)
        WHERE counted.status NOT IN ({_UNDER_WAY});
    END IF;
END
$$
"""  # noqa: S608  # nosec B608  # names of tables alone


_FORGET = "DROP FUNCTION IF EXISTS etelecom_keep_report"

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
)
_MOVED_BY = (*_TOLD_BY, "movable", "zone")

_KEEP = "SELECT * FROM etelecom_keep_report(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_KEEP_AND_MOVE = (
    "SELECT * FROM etelecom_keep_report(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


class Kept(NamedTuple):
    """A report that was kept by the database's function."""

    event_pk: int
    has_moved: bool
    """Whether the message moved by it."""


def create_functions(*, using: str, **_: Any) -> None:
    """Receive `post_migrate`, which comes also before the tables are there, and after they went."""
    if has_functions(using) and router.allow_migrate_model(using, MessageLog):
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [_MESSAGE])
            [has_tables] = cursor.fetchone()
            cursor.execute(_KEEP_REPORT if has_tables else _FORGET)


def has_functions(database: str) -> bool:
    """Tell whether the database of this alias is of the kind that has them."""
    return connections[database].vendor == "postgresql"


def keep_report(database: str, told: Mapping[str, Any]) -> Kept | None:
    """Keep a report of exactly one message that has not too many. None: it is none of those.

    Args:
        database: the alias of one that has the functions.
        told: columns of the event and the message, `provider_message_id`, `received_at`,
            `max_reports` (that a message may have), `to_be_asked` (whether the worker is to ask
            about it at once); where it may move the message also `movable` (the statuses that the
            report, which ends the message, moves it on from) and `zone` (the name of the site's
            time zone).
    """
    call, names = (_KEEP_AND_MOVE, _MOVED_BY) if "movable" in told else (_KEEP, _TOLD_BY)
    with connections[database].cursor() as cursor:
        cursor.execute(call, [told[name] for name in names])
        kept = Kept(*cursor.fetchone())
    return kept if kept.event_pk is not None else None
