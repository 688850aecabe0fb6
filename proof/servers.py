"""The servers that the proof needs, and whether they can be reached."""

import os
import socket
from urllib.parse import urlsplit

from .checks import MARIADB, POSTGRESQL, RABBITMQ, REDIS, SQLITE

NAMED_BY = {
    POSTGRESQL: "POSTGRES_URL",
    MARIADB: "MARIADB_URL",
    RABBITMQ: "RABBITMQ_URL",
    REDIS: "REDIS_URL",
}
PORTS = {POSTGRESQL: 5432, MARIADB: 3306, RABBITMQ: 5672, REDIS: 6379}


def _url(server: str, default: str) -> str:
    return os.environ.get(NAMED_BY[server], default)


DATABASES = {
    SQLITE: "sqlite:///proof",
    POSTGRESQL: _url(POSTGRESQL, "postgres://postgres@127.0.0.1:5432/postgres"),
    MARIADB: _url(MARIADB, "mysql://root@127.0.0.1:3306/mysql"),
}
BROKERS = {
    RABBITMQ: _url(RABBITMQ, "amqp://guest:guest@127.0.0.1:5672//"),
    REDIS: _url(REDIS, "redis://127.0.0.1:6379/9"),
}


def unreachable(server: str) -> str:
    """Return why a server cannot be spoken to, as a sentence; "": it can."""
    if server not in PORTS:
        return ""
    parts = urlsplit((DATABASES | BROKERS)[server])
    host, port = parts.hostname or "127.0.0.1", parts.port or PORTS[server]
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        return (
            f"{server} cannot be reached at {host}:{port} ({error}). Start it, name another by "
            f"{NAMED_BY[server]}, or leave it out by --database and --only."
        )
    return ""
