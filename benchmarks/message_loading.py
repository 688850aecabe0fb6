"""Fills a PostgreSQL database with messages of ninety days, by one statement a table.

Two in five are single, the others belong to campaigns; most were delivered, a few are unknown or
were rejected; numbers come up again. Each has two events, and the tallies say what the table does.
Indexes and constraints are taken down before and put up again after.
"""

import contextlib

TEMPLATES = 36
"""The lower its number, the more single messages a template has."""
RETIRED = TEMPLATES + 1
"""A template that only some of the oldest messages have."""
CAMPAIGN = 200_000
"""Messages of a campaign, where there are enough."""
DAYS = 90
NUMBERS = 4
"""Messages that a phone number has, in the mean."""
TABLES = ("etelecom_messagelog", "etelecom_messageevent")

DRAWN = """
WITH drawn AS (
    SELECT number, random() AS of_status, random() AS of_template, random() AS of_recipient,
        random() AS of_channel, random() AS of_time, (number - 1) / {campaign} AS block
    FROM generate_series(1, {count}) AS number
), told AS (
    SELECT *, block % 5 BETWEEN 1 AND 3 AS is_of_campaign,
        CASE
            WHEN number <= {count} / 100 AND of_template < 0.05 THEN {retired}
            WHEN block % 5 BETWEEN 1 AND 3 THEN 1 + block % {templates}
            ELSE 1 + floor({templates} * power(of_template, 3))::int
        END AS template,
        CASE
            WHEN number > {count} - {count} / 1000 THEN 'accepted'
            WHEN of_status < 0.94 THEN 'delivered'
            WHEN of_status < 0.975 THEN 'undelivered'
            WHEN of_status < 0.985 THEN 'accepted'
            WHEN of_status < 0.992 THEN 'rejected'
            WHEN of_status < 0.995 THEN 'unknown'
            WHEN of_status < 0.998 THEN 'not_sent'
            ELSE 'cancelled'
        END AS status,
        now() - interval '{days} days' * (1 - number::float / {count}) AS created_at,
        interval '1 second' * (3 - 20 * ln(1 - of_time)) AS wait
    FROM drawn
)
"""

MESSAGE = {
    "id": "number",
    "public_id": "gen_random_uuid()",
    "template_id": "template",
    "template_code": "'template_' || template",
    "account": "'default'",
    "recipient": "'8491' || lpad((floor(of_recipient * {numbers})::bigint * 7919 % 10000000)::text,"
    " 7, '0')",
    "params": "jsonb_build_object('customer_name', 'Nguyễn Văn An', 'order_code', 'DH-' || number,"
    " 'amount', '150000', 'delivery_date', '24/12/2026')",
    "sealed_params": "''",
    "channels": '\'["1", "3"]\'::jsonb',
    "requested_route": "''",
    "status": "status",
    "reason": "CASE status WHEN 'rejected' THEN 'phone_number' WHEN 'unknown' THEN 'timeout'"
    " WHEN 'not_sent' THEN 'connection_refused' ELSE '' END",
    "status_source": "CASE WHEN status IN ('delivered', 'undelivered') THEN 'webhook'"
    " WHEN status IN ('accepted', 'rejected') THEN 'send' ELSE '' END",
    "provider_message_id": "CASE WHEN status IN ('accepted', 'delivered', 'undelivered')"
    " THEN 'ICOMNI' || lpad(number::text, 12, '0') ELSE '' END",
    "provider_status": "CASE WHEN status IN ('accepted', 'delivered', 'undelivered') THEN '1'"
    " ELSE '' END",
    "provider_detail": "''",
    "channel": "CASE WHEN status NOT IN ('delivered', 'undelivered') THEN ''"
    " WHEN of_channel < 0.8 THEN 'ZNS' WHEN of_channel < 0.98 THEN 'BrandnameSMS'"
    " ELSE 'AutoCall' END",
    "error_code": "CASE status WHEN 'undelivered' THEN '-118' ELSE '' END",
    "network": "CASE WHEN status IN ('delivered', 'undelivered')"
    " THEN (1 + floor(of_channel * 100)::int % 3)::text ELSE '' END",
    "paid_messages": "CASE status WHEN 'delivered' THEN 1 END",
    "attempts": "CASE status WHEN 'cancelled' THEN 0 ELSE 1 END",
    "sent_by_id": "CASE WHEN of_time < 0.2 THEN {user} END",
    "campaign_id": "CASE WHEN is_of_campaign THEN block + 1 END",
    "campaign_row": "CASE WHEN is_of_campaign THEN 1 + (number - 1) % {campaign} END",
    "metadata": "'{{}}'::jsonb",
    "content_digest": "md5(number::text) || md5(number::text)",
    "created_at": "created_at",
    "sent_at": "CASE status WHEN 'cancelled' THEN NULL ELSE created_at + interval '1 second' END",
    "updated_at": "created_at + interval '1 second' + wait",
    "next_poll_at": "CASE WHEN number > {count} - {count} / 1000"
    " THEN now() + interval '1 hour' * of_time END",
}

EVENTS = """
INSERT INTO etelecom_messageevent (id, message_id, source, status, reason, http_status,
    provider_status, provider_detail, channel, error_code, failure_detail, payload, created_at)
SELECT number, message.id,
    CASE WHEN is_report THEN 'webhook' ELSE 'send' END,
    CASE WHEN is_report THEN message.status ELSE 'accepted' END,
    '', 200, '1', CASE WHEN is_report THEN '' ELSE 'Success' END,
    CASE WHEN is_report THEN message.channel ELSE '' END,
    CASE WHEN is_report THEN message.error_code ELSE '' END, '',
    '{{"status": "1", "code": "Success", "idOmniMess": "' || message.provider_message_id
        || '", "channel": "' || message.channel || '", "telcoid": "' || message.network || '"}}',
    CASE WHEN is_report THEN message.updated_at ELSE message.created_at + interval '1 second' END
FROM (
    -- A report comes while thousands of others are sent.
    SELECT number, number % 2 = 0 AS is_report,
        CASE WHEN number % 2 = 1 THEN (number + 1) / 2
            ELSE 1 + (number / 2 - 1 + {count} - {late}) % {count} END AS message_id
    FROM generate_series(1, 2 * {count}) AS number
) AS told JOIN etelecom_messagelog AS message ON message.id = told.message_id
ORDER BY number
"""

CAMPAIGNS = """
INSERT INTO etelecom_campaign (id, public_id, name, template_id, template_code, account, channels,
    requested_route, status, broke_off, has_secrets, read_rows, queued_rows, faulty_rows,
    repeated_rows, sms_parts, sheet_columns, columns, content_digest, starts_itself, sent_by_id,
    created_at, started_at, ran_for, finished_at)
SELECT block + 1, gen_random_uuid(), 'Campaign ' || block + 1, 1 + block % {templates},
    'template_' || 1 + block % {templates}, 'default', '["1", "3"]'::jsonb, '', 'finished', false,
    false, {campaign}, {campaign}, 0, 0, {campaign}, '[]'::jsonb, '{{}}'::jsonb, '', true, {user},
    created_at, created_at, interval '0', created_at + interval '6 hours'
FROM generate_series(0, ({count} - 1) / {campaign}) AS block,
    LATERAL (SELECT now() - interval '{days} days' * (1 - block * {campaign}::float / {count})
        AS created_at) AS began
WHERE block % 5 BETWEEN 1 AND 3
"""

TALLIES = """
INSERT INTO etelecom_daytally
    (day, account, template_code, channel, network, status, number, paid_messages)
SELECT (COALESCE(sent_at, created_at) AT TIME ZONE '{time_zone}')::date, account, template_code,
    channel, network, status, count(*), COALESCE(sum(paid_messages), 0)
FROM etelecom_messagelog GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO etelecom_waittally (day, bucket, number)
SELECT (sent_at AT TIME ZONE '{time_zone}')::date,
    floor({octave} * log(2, greatest(extract(epoch FROM updated_at - sent_at), 1)::numeric)),
    count(*)
FROM etelecom_messagelog WHERE status = 'delivered' GROUP BY 1, 2;
INSERT INTO etelecom_campaigntally (campaign_id, status, number)
SELECT campaign_id, status, count(*) FROM etelecom_messagelog
WHERE campaign_id IS NOT NULL GROUP BY 1, 2
"""


def load(alias, count, *, user):
    """Fill the migrated database `alias`; `user` is the key of who sent a fifth of it.

    Yields what is being done.
    """
    from django.conf import settings
    from django.db import connections

    from django_etelecom.models.tallies import BUCKETS_AN_OCTAVE

    words = {
        "count": count,
        "campaign": min(CAMPAIGN, count // 5),
        "templates": TEMPLATES,
        "retired": RETIRED,
        "days": DAYS,
        "numbers": count // NUMBERS,
        "late": count // 1000,
        "user": user,
        "time_zone": settings.TIME_ZONE,
        "octave": BUCKETS_AN_OCTAVE,
    }
    templates(alias)
    insert = (
        f"INSERT INTO etelecom_messagelog ({', '.join(MESSAGE)}) {DRAWN} "  # noqa: S608  # names alone
        f"SELECT {', '.join(MESSAGE.values())} FROM told"
    )
    with connections[alias].cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SELECT setseed(0.5)")
        with without_indexes(cursor):
            yield "campaigns"
            cursor.execute(CAMPAIGNS.format_map(words))
            yield "messages"
            cursor.execute(insert.format_map(words))
            yield "events"
            cursor.execute(EVENTS.format_map(words))
            yield "indexes"
        yield "tallies"
        cursor.execute(TALLIES.format_map(words))
        for table in (*TABLES, "etelecom_campaign"):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608  # names alone
            )
        cursor.execute("SET session_replication_role = DEFAULT")
        yield "VACUUM ANALYZE"
        cursor.execute("VACUUM ANALYZE")


def templates(alias):
    from django_etelecom.models import MessageTemplate, RouteRule, TemplateParameter

    RouteRule.objects.using(alias).create(
        name="ZNS, then SMS", channels=["1", "3"], is_default=True
    )
    made = MessageTemplate.objects.using(alias).bulk_create(
        MessageTemplate(
            id=number,
            code=f"template_{number}",
            name=f"Template {number}",
            text="Dear {customer_name}, {order_code} of {amount} VND comes on {delivery_date}.",
        )
        for number in range(1, RETIRED + 1)
    )
    kinds = {
        "customer_name": "text",
        "order_code": "text",
        "amount": "money",
        "delivery_date": "date",
    }
    TemplateParameter.objects.using(alias).bulk_create(
        TemplateParameter(template=template, name=name, kind=kind, position=position)
        for template in made
        for position, (name, kind) in enumerate(kinds.items())
    )


@contextlib.contextmanager
def without_indexes(cursor):
    """Take down what PostgreSQL would keep for each row of the large tables, but for their keys."""
    cursor.execute(
        "SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', relname, conname),"
        " format('ALTER TABLE %%I ADD CONSTRAINT %%I %%s', relname, conname,"
        " pg_get_constraintdef(c.oid))"
        " FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid"
        " WHERE relname = ANY(%s) AND contype = 'u'",
        [list(TABLES)],
    )
    taken_down = cursor.fetchall()
    for drop, _add in taken_down:
        cursor.execute(drop)
    cursor.execute(
        "SELECT format('DROP INDEX %%I', indexname), indexdef FROM pg_indexes"
        " WHERE tablename = ANY(%s) AND NOT EXISTS"
        " (SELECT FROM pg_constraint WHERE conname = indexname)",
        [list(TABLES)],
    )
    indexes = cursor.fetchall()
    for drop, _create in indexes:
        cursor.execute(drop)
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _drop, put_up in [*indexes, *taken_down]:
        cursor.execute(put_up)
