"""A Celery application for the process that runs the tests."""

import contextlib
from collections.abc import Iterator

import kombu.pools
from celery import Celery, _state

from django_etelecom import tasks


@contextlib.contextmanager
def celery_application(broker_url: str, **conf: object) -> Iterator[Celery]:
    """Make an application the current one, as a site's `celery.py` does, until the block ends."""
    tasks._rests_until = 0.0
    before = _state._tls.current_app
    app = Celery("tests", broker=broker_url)
    app.conf.update(**conf)
    try:
        yield app
    finally:
        kombu.pools.reset()
        app.close()
        _state._set_current_app(before)
