"""The servers that the proof needs, and whether they can be reached."""

import os
import socket
from urllib.parse import urlsplit

from .checks import MARIADB, POSTGRESQL, RABBITMQ, REDIS, SQLITE

DATABASES = {
    SQLITE: "sqlite:///proof",
    POSTGRESQL: os.environ.get("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
    MARIADB: os.environ.get("MARIADB_URL", "mysql://root@127.0.0.1:3306/mysql"),
}
BROKERS = {
    RABBITMQ: os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    REDIS: os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/9"),
}
PORTS = {POSTGRESQL: 5432, MARIADB: 3306, RABBITMQ: 5672, REDIS: 6379}
NAMED_BY = {
    POSTGRESQL: "POSTGRES_URL",
    MARIADB: "MARIADB_URL",
    RABBITMQ: "RABBITMQ_URL",
    REDIS: "REDIS_URL",
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
