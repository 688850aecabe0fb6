"""A process that is to die at a step knows when it has come there."""

import pytest

from proof.steps import is_claim, is_record

CLAIMS = [
    ('UPDATE "etelecom_messagelog" SET "status" = %s WHERE "id" = %s', ("sending", 1)),
    ('INSERT INTO "etelecom_messagelog" ("status") VALUES (%s)', ("sending",)),
]
NO_CLAIMS = [
    (
        'UPDATE "etelecom_messagelog" SET "status" = %s WHERE "status" = %s',
        ("accepted", "sending"),
    ),
    ('INSERT INTO "etelecom_messagelog" ("status") VALUES (%s)', ("queued",)),
    ('SELECT 1 FROM "etelecom_messagelog" WHERE "status" = %s', ("sending",)),
    ("BEGIN", None),
]


@pytest.mark.parametrize(("sql", "params"), CLAIMS)
def test_claim(sql, params):
    assert is_claim(sql, params)


@pytest.mark.parametrize(("sql", "params"), NO_CLAIMS)
def test_no_claim(sql, params):
    assert not is_claim(sql, params)


def test_record():
    assert is_record('INSERT INTO "etelecom_messageevent" ("status") VALUES (%s)')
    assert not is_record('SELECT 1 FROM "etelecom_messageevent"')
