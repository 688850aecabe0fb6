"""Writes of many rows, each with values of its own, by one statement.

Django has `bulk_update` for it, a CASE of every row for every column, which takes several times as
long on PostgreSQL and many times as long on SQLite; and `bulk_create`, whose way from an instance
to the statement takes several times as long as PostgreSQL takes to insert the row.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
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
            text, numbers, aware datetimes and None.
        where: columns and the values that they must have for a row to be updated at all.
        also: columns that are set to the same in all rows: a value, or an expression without
            columns.
        using: the alias of the database.
    """
    connection = connections[using]
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    told, told_params = _told(connection, model, rows)
    compiler = model._default_manager.using(using).all().query.get_compiler(using)
    settings = [f"{quote(name)} = told.{quote(name)}" for name in list(rows[0])[1:]]
    setting_params: list[Any] = []
    for name, value in also.items():
        if isinstance(value, Expression):
            sql, its_params = compiler.compile(value)
        else:
            sql, its_params = "%s", (value,)
        settings.append(f"{quote(name)} = {sql}")
        setting_params += its_params
    conditions = " AND ".join(f"row_.{quote(name)} = %s" for name in where)
    if connection.vendor == "mysql":
        assigned = ", ".join(f"row_.{setting}" for setting in settings)
        statement = (
            f"UPDATE {table} AS row_ JOIN {told} ON row_.id = told.id "  # noqa: S608  # nosec B608  # names alone
            f"SET {assigned} WHERE {conditions}"
        )
        params = [*told_params, *setting_params, *where.values()]
    else:
        statement = (
            f"UPDATE {table} AS row_ SET {', '.join(settings)} "  # noqa: S608  # nosec B608  # names alone
            f"FROM {told} WHERE row_.id = told.id AND {conditions}"
        )
        params = [*setting_params, *told_params, *where.values()]
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        updated: int = cursor.rowcount
        return updated


def insert_each(
    model: type[Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    also: Mapping[str, Any] | None = None,
    using: str,
) -> None:
    """Insert rows whose keys nobody needs to know.

    Args:
        model: whose table it is. A column that is not told of gets its field's default.
        rows: for each row the columns of its own: the same ones in every row. Values are text,
            numbers, aware datetimes, UUIDs, what JSON can hold, and None.
        also: columns that are the same in all rows.
        using: the alias of the database.
    """
    if not rows:
        return
    connection = connections[using]
    quote = connection.ops.quote_name
    own = [quote(column) for column in rows[0]]
    common, params = [], []
    placeholder = {}
    for column, field in _fields(model).items():
        if field.primary_key or column in rows[0]:
            continue
        value = also[column] if also and column in also else field.get_default()
        params.append(field.get_db_prep_save(value, connection))
        common.append(quote(column))
        # PostgreSQL takes a parameter for text where it does not stand in VALUES.
        is_postgresql = connection.vendor == "postgresql"
        placeholder[column] = f"CAST(%s AS {field.db_type(connection)})" if is_postgresql else "%s"
    told, told_params = _told(connection, model, rows)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(model._meta.db_table)} ({', '.join([*own, *common])}) "  # noqa: S608  # nosec B608  # names alone
            f"SELECT {', '.join([*own, *placeholder.values()])} FROM {told}",
            [*params, *told_params],
        )


def _fields(model: type[Model]) -> dict[str, Any]:
    return {str(field.column): field for field in model._meta.local_concrete_fields}


def _told(
    connection: BaseDatabaseWrapper, model: type[Model], rows: Sequence[Mapping[str, Any]]
) -> tuple[str, list[Any]]:
    """Return the rows as a table called `told`, and the parameters of its SQL."""
    quote, fields = connection.ops.quote_name, _fields(model)
    names = list(rows[0])
    if connection.vendor == "postgresql":
        # One parameter: to adapt each value by itself takes longer than all that is done with it.
        types = [fields[name].cast_db_type(connection) for name in names]
        columns = ", ".join(
            f"{quote(name)} {type_}" for name, type_ in zip(names, types, strict=True)
        )
        # As text, not JSON: the driver's own way to JSON is a longer one.
        return f"json_to_recordset(%s) AS told({columns})", [json.dumps(rows, default=str)]
    values = [
        fields[name].get_db_prep_save(row[name], connection) for row in rows for name in names
    ]
    if connection.vendor == "mysql":
        columns = ", ".join(f"%s AS {quote(name)}" for name in names)
        return f"({' UNION ALL '.join([f'SELECT {columns}'] * len(rows))}) AS told", values
    # Named outside: a statement begins with its verb, or SQLite's driver counts no rows.
    columns = ", ".join(
        f"column{position} AS {quote(name)}" for position, name in enumerate(names, 1)
    )
    one = f"({', '.join(['%s'] * len(names))})"
    listed = f"(VALUES {', '.join([one] * len(rows))}) AS listed"
    return f"(SELECT {columns} FROM {listed}) AS told", values  # noqa: S608  # nosec B608  # names alone
