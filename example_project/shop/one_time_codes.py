"""One-time codes: kept as a salted hash for five minutes, tried at most five times, used once."""

import enum
import secrets

from django.core.cache import cache
from django.utils.crypto import constant_time_compare, salted_hmac

DIGITS = 6
LIFETIME_SECONDS = 5 * 60
TRIES = 5


class Verdict(enum.Enum):
    """What comes of trying a code."""

    RIGHT = enum.auto()
    WRONG = enum.auto()
    SPENT = enum.auto()
    """The code has expired, was used, or has been tried too often."""


def make() -> tuple[str, str]:
    """Make a code; return the ticket under which it is kept, and the code itself."""
    ticket = secrets.token_urlsafe()
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    cache.set(f"shop:code:{ticket}", _digest(ticket, code), LIFETIME_SECONDS)
    cache.set(f"shop:tries:{ticket}", 0, LIFETIME_SECONDS)
    return ticket, code


def check(ticket: str, code: str) -> Verdict:
    """Try a code that a person typed."""
    try:
        # Counted before looking, so that tries at the same time do not go uncounted.
        tries = cache.incr(f"shop:tries:{ticket}")
    except ValueError:
        return Verdict.SPENT
    digest = cache.get(f"shop:code:{ticket}")
    if digest is None or tries > TRIES:
        return Verdict.SPENT
    if not constant_time_compare(digest, _digest(ticket, code)):
        return Verdict.WRONG
    # Of two right tries at the same time one gets it.
    return Verdict.RIGHT if cache.delete(f"shop:code:{ticket}") else Verdict.SPENT


def _digest(ticket: str, code: str) -> str:
    # Keyed by SECRET_KEY: against a bare hash the million possible codes are tried in no time.
    return salted_hmac(f"shop.one_time_codes:{ticket}", code, algorithm="sha256").hexdigest()
