"""The database's clock: what leases and expiry go by, so that no server's own clock matters."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler


class DatabaseNow(Func):
    """The present instant by the database's clock, in UTC.

    Django's own `Now()` is in the session's time zone on MariaDB, where the columns hold UTC.
    """

    template = "CURRENT_TIMESTAMP"
    output_field = DateTimeField()  # type: ignore[assignment]  # a Func takes it as a class attribute

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # CURRENT_TIMESTAMP stands still inside a transaction.
        return self.as_sql(compiler, connection, template="STATEMENT_TIMESTAMP()", **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # Microseconds as Django writes them; SQLite compares instants as text.
        return self.as_sql(
            compiler,
            connection,
            template="STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW')",
            **context,
        )
