"""Writes of many rows, each to something of its own, by one statement.

Django has `bulk_update` for it, a CASE of every row for every column, which takes several times as
long on PostgreSQL and many times as long on SQLite; and `bulk_create`, which makes an instance and
asks every field about every row, also about what all rows have in common.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections
from django.db.models import Expression, Model


def update_each(
    model: type[Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    where: Mapping[str, Any],
    also: Mapping[str, Any],
    using: str,
) -> int:
    """Update each row by its own values; return how many rows there were to update.

    Args:
        model: whose table it is.
        rows: for each row its `id` and the columns to set: the same ones in every row. Values are
            text, numbers and aware datetimes.
        where: columns and the values that they must have for a row to be updated at all.
        also: columns that are set to the same in all rows: a value, or an expression without
            columns.
        using: the alias of the database.
    """
    connection = connections[using]
    quote, ops = connection.ops.quote_name, connection.ops
    table = quote(model._meta.db_table)
    names = list(rows[0])
    values = [
        ops.adapt_datetimefield_value(row[name]) if hasattr(row[name], "tzinfo") else row[name]
        for row in rows
        for name in names
    ]
    compiler = model._default_manager.using(using).all().query.get_compiler(using)
    settings, setting_params = [f"{quote(name)} = told.{quote(name)}" for name in names[1:]], []
    for name, value in also.items():
        if isinstance(value, Expression):
            sql, its_params = compiler.compile(value)
        else:
            sql, its_params = "%s", (value,)
        settings.append(f"{quote(name)} = {sql}")
        setting_params += its_params
    conditions = " AND ".join(f"row_.{quote(name)} = %s" for name in where)
    one = f"({', '.join(['%s'] * len(names))})"
    if connection.vendor == "mysql":
        columns = ", ".join(f"%s AS {quote(name)}" for name in names)
        told = " UNION ALL ".join([f"SELECT {columns}"] * len(rows))
        assigned = ", ".join(f"row_.{setting}" for setting in settings)
        statement = (
            f"UPDATE {table} AS row_ JOIN ({told}) AS told ON row_.id = told.id "  # noqa: S608  # names alone
            f"SET {assigned} WHERE {conditions}"
        )
        params = [*values, *setting_params, *where.values()]
    else:
        # Named outside: the statement begins with UPDATE, or SQLite's driver counts no rows.
        columns = ", ".join(
            f"column{position} AS {quote(name)}" for position, name in enumerate(names, 1)
        )
        listed = f"(VALUES {', '.join([one] * len(rows))}) AS listed"
        statement = (
            f"UPDATE {table} AS row_ SET {', '.join(settings)} "  # noqa: S608  # names alone
            f"FROM (SELECT {columns} FROM {listed}) AS told "
            f"WHERE row_.id = told.id AND {conditions}"
        )
        params = [*setting_params, *values, *where.values()]
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        updated: int = cursor.rowcount
        return updated


def insert_alike(
    model: type[Model], rows: Sequence[Mapping[str, Any]], *, also: Mapping[str, Any], using: str
) -> None:
    """Insert rows that have most of their columns in common.

    Args:
        model: whose table it is. What is told of none of its fields gets the default.
        rows: for each row its own attributes (`attname`): the same ones in every row.
        also: attributes that are the same in all rows.
        using: the alias of the database.
    """
    if not rows:
        return
    connection = connections[using]
    quote = connection.ops.quote_name
    own = [field for field in model._meta.local_concrete_fields if field.attname in rows[0]]
    common = [
        field
        for field in model._meta.local_concrete_fields
        if field not in own and not field.primary_key
    ]

    def typed(field: Any, sql: str) -> str:
        # PostgreSQL takes a text for what it is unless it stands in VALUES of an INSERT.
        return f"CAST({sql} AS {field.db_type(connection)})" if is_postgresql else sql

    is_postgresql = connection.vendor == "postgresql"
    params: list[Any] = [
        field.get_db_prep_save(row[field.attname], connection) for row in rows for field in own
    ]
    for field in common:
        value = also[field.attname] if field.attname in also else field.get_default()
        params.append(field.get_db_prep_save(value, connection))
    names = [quote(str(field.column)) for field in own]
    columns = [*names, *(quote(str(field.column)) for field in common)]
    one = f"({', '.join(['%s'] * len(own))})"
    selected = [typed(field, f"told.{name}") for field, name in zip(own, names, strict=True)]
    selected += [typed(field, "%s") for field in common]
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(columns)}) "  # noqa: S608  # names alone
        f"WITH told ({', '.join(names)}) AS (VALUES {', '.join([one] * len(rows))}) "
        f"SELECT {', '.join(selected)} FROM told"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
