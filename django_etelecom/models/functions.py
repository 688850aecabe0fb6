"""What PostgreSQL does by functions of its own, made anew by each `migrate`.

It keeps a function's plan, which takes more of a short statement than running it does.
"""

from collections.abc import Mapping
from typing import Any

from django.db import connections, router

from .messages import MessageEvent, MessageLog, ReportedMessage, Source

_EVENT, _MESSAGE, _REPORTED = (
    model._meta.db_table for model in (MessageEvent, MessageLog, ReportedMessage)
)

_KEEP_REPORT = f"""
CREATE OR REPLACE FUNCTION etelecom_keep_report(
    told_id text, told_status text, told_words text, told_channel text, told_error_code text,
    told_payload text, told_at timestamptz, told_end boolean, most_reports integer
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    kept_for bigint;
BEGIN
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
    RETURNING message_id INTO kept_for;
    IF told_end AND kept_for IS NOT NULL THEN
        INSERT INTO {_REPORTED} (message_id) VALUES (kept_for) ON CONFLICT DO NOTHING;
    END IF;
    RETURN kept_for IS NOT NULL;
END
$$
"""  # noqa: S608  # names of tables alone


_CALL = """SELECT etelecom_keep_report(
    %(provider_message_id)s, %(status)s, %(provider_status)s, %(channel)s, %(error_code)s,
    %(payload)s, %(received_at)s, %(ends)s, %(max_reports)s
)"""


def create_functions(*, using: str, **_: Any) -> None:
    """Receive `post_migrate`."""
    if has_functions(using) and router.allow_migrate_model(using, MessageLog):
        with connections[using].cursor() as cursor:
            cursor.execute(_KEEP_REPORT)


def has_functions(database: str) -> bool:
    """Tell whether the database of this alias is of the kind that has them."""
    return connections[database].vendor == "postgresql"


def keep_report(database: str, told: Mapping[str, Any]) -> bool:
    """Keep a report of exactly one message that has not too many. False: it is none of those.

    Args:
        database: the alias of one that has the functions.
        told: columns of the event, `provider_message_id`, `received_at`, `ends` (whether the
            message has ended by it) and `max_reports` (that a message may have).
    """
    with connections[database].cursor() as cursor:
        cursor.execute(_CALL, told)
        [kept] = cursor.fetchone()
    return bool(kept)
