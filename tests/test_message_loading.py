"""What the benchmark of the admin's pages loads fits the tables as they are."""

import re

import pytest
from django.db.models import NOT_PROVIDED

from benchmarks import message_loading
from django_etelecom.models import Campaign, MessageEvent, MessageLog


def columns_of(insert):
    return re.findall(r"\w+", re.search(r"\(([^)]*)\)", insert)[1])


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (MessageLog, message_loading.MESSAGE),
        (MessageEvent, columns_of(message_loading.EVENTS)),
        (Campaign, columns_of(message_loading.CAMPAIGNS)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_loading__gives_a_value_to_each_column_that_needs_one(model, columns):
    fields = model._meta.local_concrete_fields

    assert set(columns) <= {field.column for field in fields}
    assert set(columns) >= {
        field.column for field in fields if not field.null and field.db_default is NOT_PROVIDED
    }
