"""The database's clock: what leases and expiry go by, so that no server's own clock matters."""

from datetime import timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler


class DatabaseNow(Func):
    """The present instant by the database's clock, in UTC, or the one `after` it.

    Django's own `Now()` is in the session's time zone on MariaDB, where the columns hold UTC.
    """

    output_field = DateTimeField()

    def __init__(self, *, after: timedelta = timedelta(0)) -> None:
        # Not as Python writes a float: PostgreSQL takes no `5e-05` for an interval.
        super().__init__(seconds=f"{after.total_seconds():.6f}")

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # CURRENT_TIMESTAMP stands still inside a transaction.
        template = "STATEMENT_TIMESTAMP() + INTERVAL '%(seconds)s seconds'"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = "UTC_TIMESTAMP(6) + INTERVAL %(seconds)s SECOND"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # In the form in which Django writes instants; SQLite compares them as text.
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW', '%(seconds)s seconds')"
        return self.as_sql(compiler, connection, template=template, **context)


EPOCH_NOW = {
    # CURRENT_TIMESTAMP and even STATEMENT_TIMESTAMP stand still while a lock is waited for.
    "postgresql": "EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())",
    # UNIX_TIMESTAMP goes by the server's local time, of which one hour comes twice in autumn.
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 0.000001)",
    "sqlite": "((JULIANDAY('NOW') - 2440587.5) * 86400.0)",
}
"""The present instant by the database's clock, in seconds since 1970, as each vendor says it."""
