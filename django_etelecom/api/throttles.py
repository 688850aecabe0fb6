"""Counting requests: each kind of them by a scope of its own, where the site says how many.

`REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"etelecom_send": "60/min"}}` is all that it takes; a
scope without a rate is not counted. They are the REST framework's, with all that this means: see
`docs/how-to/api.md`.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from rest_framework.settings import api_settings
from rest_framework.throttling import UserRateThrottle


class ScopedThrottle(UserRateThrottle):
    """Counts by user, and by address whoever has not logged in."""

    def get_rate(self) -> str | None:
        # Read live, unlike the class attribute that the framework reads it from.
        rate: str | None = api_settings.DEFAULT_THROTTLE_RATES.get(self.scope)
        return rate

    def parse_rate(self, rate: str | None) -> tuple[int | None, int | None]:
        try:
            parsed: tuple[int | None, int | None] = super().parse_rate(rate)
        except (ValueError, KeyError, IndexError):
            raise ImproperlyConfigured(
                f"DEFAULT_THROTTLE_RATES['{self.scope}'] is '{rate}'; write it as '60/min'."
            ) from None
        return parsed


class SendThrottle(ScopedThrottle):
    """Messages that are sent, queued or sent again."""

    scope = "etelecom_send"


class CheckThrottle(ScopedThrottle):
    """Messages that are checked and not sent."""

    scope = "etelecom_check"


class ReadThrottle(ScopedThrottle):
    """Whatever is looked at."""

    scope = "etelecom_read"


class RefreshThrottle(ScopedThrottle):
    """Questions to the provider."""

    scope = "etelecom_refresh"


class ChangeThrottle(ScopedThrottle):
    """What is cancelled, paused or resumed."""

    scope = "etelecom_change"
