"""The database that a benchmark makes for itself where DATABASE_URL points, and drops again."""

import atexit
import contextlib
import os
import shutil
import tempfile
from urllib.parse import urlsplit


def settings(**more):
    """Return its entry of `DATABASES`; without a DATABASE_URL it is a file that goes in the end."""
    import environ

    if "DATABASE_URL" not in os.environ:
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder)
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/benchmark.sqlite3"
    database = {**environ.Env().db("DATABASE_URL"), **more}
    if "sqlite" in database["ENGINE"]:
        # Django would take memory, which no other process sees.
        database["TEST"] = {"NAME": database["NAME"]}
    return database


@contextlib.contextmanager
def made(*, keep=False):
    """Make it, and have DATABASE_URL name it to whatever process is started meanwhile.

    Yields:
        What it is, with its version.

    Args:
        keep: leave it for the next run, or take up what the last one has left.
    """
    from django.db import connection, connections
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(
        verbosity=0, interactive=False, keepdb=keep, serialized_aliases=set()
    )
    if connection.vendor != "sqlite":
        url = urlsplit(os.environ["DATABASE_URL"])
        named = url._replace(path=f"/{connection.settings_dict['NAME']}")
        os.environ["DATABASE_URL"] = named.geturl()
    version = ".".join(map(str, connection.get_database_version()))
    try:
        yield f"{connection.display_name} {version}"
    finally:
        connections.close_all()
        teardown_databases(databases, verbosity=0, keepdb=keep)


def is_postgresql():
    from django.db import connection

    return connection.vendor == "postgresql"


def require_postgresql():
    if not is_postgresql():
        raise SystemExit("DATABASE_URL has to name a PostgreSQL server.")


def analyze():
    """Let it know what it holds, as it does by itself in a minute."""
    from django.db import connection

    statements = {
        "postgresql": "VACUUM ANALYZE",
        "mysql": "ANALYZE TABLE etelecom_messagelog, etelecom_messageevent",
        "sqlite": "ANALYZE",
    }
    with connection.cursor() as cursor:
        cursor.execute(statements[connection.vendor])
