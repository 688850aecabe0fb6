"""The checks, and how often each does what it does."""

import dataclasses

SQLITE, POSTGRESQL, MARIADB = "SQLite", "PostgreSQL", "MariaDB"
RABBITMQ, REDIS = "RabbitMQ", "Redis"


@dataclasses.dataclass(frozen=True)
class Check:
    """A module of this folder whose `run(job)` does its worst to the app on one database."""

    module: str
    short: int
    """How often, over all databases together, in the form for every day."""
    nightly: int
    databases: tuple[str, ...] = (SQLITE, POSTGRESQL, MARIADB)
    settings: str = "proof.settings"
    """Of the site that it needs."""
    packages: tuple[str, ...] = ()
    """What has to be installed besides, as PyPI calls it."""
    brokers: tuple[str, ...] = ()
    """That its tasks travel by."""
    weights: tuple[int, ...] = ()
    """How the whole is shared out over the databases; (): evenly."""
    seconds: int = 60
    """About, in the form for every day, on the database that takes longest."""

    def share(self, database: str, *, nightly: bool) -> int:
        """Return how much of it one database has to bear."""
        whole = self.nightly if nightly else self.short
        weights = self.weights or (1,) * len(self.databases)
        place = self.databases.index(database)
        upto = [whole * sum(weights[:end]) // sum(weights) for end in (place, place + 1)]
        return upto[1] - upto[0]


CHECKS = [
    Check("kills", 1_000, 10_000, brokers=(RABBITMQ, REDIS), seconds=160),
    # Each of 280, which are every fault in every way of sending, once on each database.
    Check("faults", 840, 5_040, seconds=40),
    Check("cuts", 200, 2_000, (POSTGRESQL, MARIADB), seconds=35),
    Check("answers", 20_000, 1_000_000, seconds=100),
    # Half the time a sequence takes on a server.
    Check("lives", 500, 10_000, weights=(3, 1, 1), seconds=360),
    # Once on each database: there is no more than all of them.
    Check("orders", 3, 3, seconds=140),
    Check("workers", 10_000, 100_000, seconds=50),
    Check("outages", 3, 3, seconds=80),
    Check("mutations", 1, 1, (SQLITE,), seconds=150),
    Check(
        "peers",
        6,
        100,
        (POSTGRESQL,),
        settings="proof.peer_site.settings",
        packages=("celery", "django-anymail", "django-post_office", "requests"),
        brokers=(RABBITMQ,),
        seconds=115,
    ),
]
