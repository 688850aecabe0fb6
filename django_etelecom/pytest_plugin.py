"""The pytest fixture `etelecom_outbox`, registered as soon as the app is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .backends.locmem import SentMessage


@pytest.fixture
def etelecom_outbox(db: None) -> Iterator[list[SentMessage]]:
    """Send to a list instead of to the provider; the list, empty at first.

    Needs pytest-django. As `django_etelecom.testing.sent_messages` around the whole test, whose
    `settings.ETELECOM` may be changed further.
    """
    # Django's settings are not ready when pytest loads its plugins.
    from .testing import sent_messages

    with sent_messages() as outbox:
        yield outbox
