"""The app's settings: one typed property each, read live from `settings.ETELECOM`."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeGuard

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from .client.opaque import Opaque
from .guard_rules import GuardRules, rules_of

DEFAULT_BASE_URL = "https://sms.etelecom.vn"
DEFAULT_BACKEND = "django_etelecom.backends.http.HTTPBackend"
DEFAULT_SECONDS = {"CONNECT_TIMEOUT": 5, "TIMEOUT": 15}
DEFAULT_EXPIRES_AFTER = {"otp": 600, "transactional": 86_400, "advertising": 86_400}

CATEGORIES = DEFAULT_EXPIRES_AFTER.keys()
"""What a template may be for."""

LONGEST_EXPIRY = 365 * 86_400
"""Seconds for which a message may be worth sending."""

LONGEST_RETENTION = 36_500
"""Days after which messages may be stripped or deleted."""

DEFAULT_DISPATCHER = "django_etelecom.dispatchers.worker"
DEFAULT_PAUSE_AFTER_UNKNOWN = 20

DEFAULT_POLL_AFTER = (30, 120, 600, 3600, 21_600, 86_400, 172_800)
DEFAULT_MAX_POLLS_PER_SECOND = 20

SHORTEST_WEBHOOK_TOKEN, LONGEST_WEBHOOK_TOKEN = 16, 200
"""Characters."""
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST_WEBHOOK_TOKEN},{LONGEST_WEBHOOK_TOKEN}}}")

KNOWN_SETTINGS = frozenset(
    {
        "ACCOUNTS",
        "ALLOWED_NUMBERS",
        "CONFIRM_REPORTS",
        "DISPATCHER",
        "ENCRYPTION_KEYS",
        "EXPIRES_AFTER",
        "GUARDS",
        "MAX_POLLS_PER_SECOND",
        "POLL_AFTER",
        "RETENTION",
        "WEBHOOK_TOKENS",
    }
)
KNOWN_ACCOUNT_SETTINGS = frozenset(
    {
        "USERNAME",
        "PASSWORD",
        "BASE_URL",
        "BACKEND",
        "ROUTERULE_FORMAT",
        "CONNECT_TIMEOUT",
        "TIMEOUT",
        "KEEP_ALIVE",
        "MAX_PAID_PER_DAY",
        "MAX_PAID_PER_MONTH",
        "MAX_PER_SECOND",
        "PAUSE_AFTER_UNKNOWN",
        "WEBHOOK_SECRET",
    }
)

SECRETS = ("USERNAME", "PASSWORD", "WEBHOOK_SECRET")
"""What of an account only the site and the provider know."""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """One entry of `ETELECOM["ACCOUNTS"]`: who we are to the provider, and how we reach it."""

    alias: str
    username: Opaque[str]
    password: Opaque[str]
    base_url: str
    backend: str
    routerule_format: Literal["string", "list"] | None
    connect_timeout: float
    """Seconds."""
    timeout: float
    """Seconds, for the whole exchange."""
    keep_alive: bool
    """Whether one connection carries many requests."""
    max_per_second: float | None
    """How many queued messages are sent in a second, by all workers together; None: any number."""
    pause_after_unknown: int | None
    """How many outcomes in a row may be unknown before queued messages wait; None: any number."""
    max_paid_per_day: int | None
    """How many paid messages a day may cost, in the site's time zone; None: any number."""
    max_paid_per_month: int | None
    webhook_secret: Opaque[str]
    """What the provider's reports carry in a header; empty: nothing."""

    @property
    def credentials(self) -> Opaque[tuple[str, str]]:
        return Opaque((self.username.reveal(), self.password.reveal()))


@dataclasses.dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept of a category's messages is kept."""

    strip: timedelta | None = None
    """After which what is personal is erased; None: never."""
    delete: timedelta | None = None
    """After which the message goes as a whole; None: never."""

    @property
    def personal(self) -> timedelta | None:
        """How long anything personal is kept; None: for ever."""
        return self.strip or self.delete


class Settings:
    """Typed access to `settings.ETELECOM`; nothing is kept, so `override_settings` works."""

    @property
    def raw(self) -> Mapping[str, Any]:
        """The setting as it is.

        Raises:
            ImproperlyConfigured: it is no mapping.
        """
        raw = getattr(django_settings, "ETELECOM", {})
        if not isinstance(raw, Mapping):
            raise ImproperlyConfigured("ETELECOM is a dictionary.")
        return raw

    @property
    def unchecked(self) -> Mapping[str, Any]:
        """The setting for who may not fail by it: empty where it is no mapping."""
        return _mapping(getattr(django_settings, "ETELECOM", {}))

    @property
    def account_aliases(self) -> list[str]:
        accounts = self.raw.get("ACCOUNTS", {})
        return list(accounts) if isinstance(accounts, Mapping) else []

    def account(self, alias: str) -> Account:
        """Return the account called `alias`.

        Raises:
            ImproperlyConfigured: there is no such account, or a value of it cannot be used.
        """
        # Raised here, where no local variable holds a password that a reporter could capture.
        account = self._account_or_fault(alias)
        if isinstance(account, str):
            raise ImproperlyConfigured(account)
        return account

    def _account_or_fault(self, alias: str) -> Account | str:
        accounts = self.raw.get("ACCOUNTS", {})
        entry = accounts.get(alias) if isinstance(accounts, Mapping) else None
        if entry is not None and not isinstance(entry, Mapping):
            return f"ETELECOM['ACCOUNTS']['{alias}'] is a dictionary."
        if entry is None:
            known = ", ".join(self.account_aliases) or "none"
            return f"ETELECOM['ACCOUNTS'] has no account '{alias}'; it has: {known}."
        for name in ("USERNAME", "PASSWORD", "BASE_URL", "BACKEND", "WEBHOOK_SECRET"):
            if not isinstance(entry.get(name, ""), str):
                return f"{name} of account '{alias}' is a string."
        secret = entry.get("WEBHOOK_SECRET", "")
        if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
            return (
                f"WEBHOOK_SECRET of account '{alias}' is text that a header can carry: printable "
                "ASCII without spaces at its ends."
            )
        if entry.get("ROUTERULE_FORMAT") not in ("string", "list", None):
            return f"ROUTERULE_FORMAT of account '{alias}' is 'string', 'list' or None."
        if not isinstance(entry.get("KEEP_ALIVE", True), bool):
            return f"KEEP_ALIVE of account '{alias}' is True or False."
        for name, seconds in DEFAULT_SECONDS.items():
            value = entry.get(name, seconds)
            if not _is_number(value) or not 0 < value < 3600:
                return f"{name} of account '{alias}' is a number of seconds above 0 and below 3600."
        rate = entry.get("MAX_PER_SECOND")
        if rate is not None and not (_is_number(rate) and 0 < rate <= 10_000):
            return (
                f"MAX_PER_SECOND of account '{alias}' is a number above 0, at most 10000, or None."
            )
        run = entry.get("PAUSE_AFTER_UNKNOWN", DEFAULT_PAUSE_AFTER_UNKNOWN)
        wholes = {"PAUSE_AFTER_UNKNOWN": run}
        wholes |= {name: entry.get(name) for name in ("MAX_PAID_PER_DAY", "MAX_PAID_PER_MONTH")}
        for name, whole in wholes.items():
            if whole is not None and not (
                _is_number(whole) and isinstance(whole, int) and whole > 0
            ):
                return f"{name} of account '{alias}' is a whole number above 0, or None."
        return Account(
            alias=alias,
            username=Opaque(entry.get("USERNAME", "")),
            password=Opaque(entry.get("PASSWORD", "")),
            base_url=entry.get("BASE_URL", DEFAULT_BASE_URL),
            backend=entry.get("BACKEND", DEFAULT_BACKEND),
            routerule_format=entry.get("ROUTERULE_FORMAT"),
            connect_timeout=float(entry.get("CONNECT_TIMEOUT", DEFAULT_SECONDS["CONNECT_TIMEOUT"])),
            timeout=float(entry.get("TIMEOUT", DEFAULT_SECONDS["TIMEOUT"])),
            keep_alive=entry.get("KEEP_ALIVE", True),
            max_per_second=None if rate is None else float(rate),
            pause_after_unknown=run,
            max_paid_per_day=entry.get("MAX_PAID_PER_DAY"),
            max_paid_per_month=entry.get("MAX_PAID_PER_MONTH"),
            webhook_secret=Opaque(entry.get("WEBHOOK_SECRET", "")),
        )

    @property
    def allowed_numbers(self) -> Mapping[str, Sequence[str]]:
        """Region -> number types of `phonenumbers` that a recipient may have."""
        allowed: Mapping[str, Sequence[str]] = self.raw.get("ALLOWED_NUMBERS", {"VN": ["MOBILE"]})
        return allowed

    @property
    def dispatcher(self) -> str:
        """The dotted path of the function that brings a queued message to another process."""
        path: str = self.raw.get("DISPATCHER", DEFAULT_DISPATCHER)
        return path

    @property
    def encryption_keys(self) -> Sequence[str]:
        """Fernet keys, the first one seals; empty: derived from SECRET_KEY and its fallbacks."""
        keys: Sequence[str] = self.raw.get("ENCRYPTION_KEYS", [])
        return keys

    @property
    def confirms_reports(self) -> bool:
        """Whether a delivery report moves a message only after the provider was asked itself.

        Raises:
            ImproperlyConfigured: CONFIRM_REPORTS is not True or False.
        """
        confirms = self.raw.get("CONFIRM_REPORTS", True)
        if not isinstance(confirms, bool):
            raise ImproperlyConfigured("ETELECOM['CONFIRM_REPORTS'] is True or False.")
        return confirms

    @property
    def poll_after(self) -> Sequence[float]:
        """How many seconds after its sending the provider is asked about a message, ascending.

        Raises:
            ImproperlyConfigured: POLL_AFTER is no ascending list of seconds, or passes 30 days.
        """
        after = self.raw.get("POLL_AFTER", DEFAULT_POLL_AFTER)
        if (
            not isinstance(after, list | tuple)
            or not all(_is_number(seconds) and 0 < seconds <= 30 * 86_400 for seconds in after)
            or list(after) != sorted(set(after))
        ):
            raise ImproperlyConfigured(
                "ETELECOM['POLL_AFTER'] is an ascending list of seconds, at most those of 30 days."
            )
        return after

    @property
    def max_polls_per_second(self) -> float:
        """How often a worker asks the provider at most.

        Raises:
            ImproperlyConfigured: MAX_POLLS_PER_SECOND is no number above 0.
        """
        rate = self.raw.get("MAX_POLLS_PER_SECOND", DEFAULT_MAX_POLLS_PER_SECOND)
        if not _is_number(rate) or not 0 < rate <= 1000:
            raise ImproperlyConfigured(
                "ETELECOM['MAX_POLLS_PER_SECOND'] is a number above 0 and at most 1000."
            )
        return float(rate)

    def check_recording(self) -> None:
        """Read the settings that sending goes by to its end, before anything is sent.

        A fault of theirs that came up once the provider has answered would lose the answer.

        Raises:
            ImproperlyConfigured: one of them cannot be used.
        """
        if not django_settings.USE_TZ:
            raise ImproperlyConfigured("USE_TZ is off, and messages expire by instants.")
        _ = self.poll_after, self.confirms_reports
        self.check_guards()

    @property
    def webhook_tokens(self) -> Opaque[tuple[str, ...]]:
        """The tokens that the webhook's URL may carry, two of them while one takes over.

        Raises:
            ImproperlyConfigured: WEBHOOK_TOKENS is no list of long tokens fit for a URL. The
                sentence quotes none.
        """
        fault = self._fault_of_tokens()
        if fault:
            # Raised here, where no local variable holds a token.
            raise ImproperlyConfigured(fault)
        return Opaque(tuple(self.raw.get("WEBHOOK_TOKENS", ())))

    @property
    def webhook_secrets(self) -> Opaque[tuple[str, ...]]:
        """The shared tokens of all accounts that have one.

        Raises:
            ImproperlyConfigured: an account cannot be used.
        """
        # Each report asks for them, and an account without one has nothing to check here.
        having = (
            alias
            for alias, entry in self.raw.get("ACCOUNTS", {}).items()
            if not isinstance(entry, Mapping) or "WEBHOOK_SECRET" in entry
        )
        accounts = map(self.account, having)
        return Opaque(tuple(filter(None, (one.webhook_secret.reveal() for one in accounts))))

    @property
    def known_to_provider(self) -> Opaque[tuple[str, ...]]:
        """The credentials and shared tokens of all accounts, and the tokens of the webhook.

        Whatever form the settings have; what is no text is left out.
        """
        entries = _mapping(self.unchecked.get("ACCOUNTS")).values()
        tokens = self.unchecked.get("WEBHOOK_TOKENS")
        return Opaque(
            tuple(
                secret
                for secret in (
                    *(_mapping(entry).get(name) for entry in entries for name in SECRETS),
                    *(tokens if isinstance(tokens, list | tuple) else ()),
                )
                if isinstance(secret, str)
            )
        )

    def _fault_of_tokens(self) -> str:
        tokens = self.raw.get("WEBHOOK_TOKENS", ())
        if not isinstance(tokens, list | tuple):
            return "ETELECOM['WEBHOOK_TOKENS'] is a list of tokens."
        for position, token in enumerate(tokens):
            if not isinstance(token, str) or not _TOKEN.fullmatch(token):
                return (
                    f"ETELECOM['WEBHOOK_TOKENS'][{position}] is not a token: "
                    f"{SHORTEST_WEBHOOK_TOKEN} to {LONGEST_WEBHOOK_TOKEN} letters, digits, hyphens "
                    "and underscores, as secrets.token_urlsafe() makes them."
                )
        return ""

    def expires_after(self, category: str) -> timedelta:
        """Return how long a message of this category is worth sending.

        Raises:
            ImproperlyConfigured: EXPIRES_AFTER is no mapping of categories to seconds, from 1 to
                those of a year.
        """
        changes = self.raw.get("EXPIRES_AFTER", {})
        if not isinstance(changes, Mapping) or not DEFAULT_EXPIRES_AFTER.keys() >= changes.keys():
            raise ImproperlyConfigured(
                "ETELECOM['EXPIRES_AFTER'] maps categories to seconds; "
                f"the categories are {', '.join(DEFAULT_EXPIRES_AFTER)}."
            )
        seconds = changes.get(category, DEFAULT_EXPIRES_AFTER[category])
        in_bounds = isinstance(seconds, int) and 0 < seconds <= LONGEST_EXPIRY
        if isinstance(seconds, bool) or not in_bounds:
            raise ImproperlyConfigured(
                f"ETELECOM['EXPIRES_AFTER']['{category}'] is a whole number of seconds, "
                f"from 1 to {LONGEST_EXPIRY}."
            )
        return timedelta(seconds=seconds)

    def guards(self, category: str) -> GuardRules:
        """Return what messages of this category are guarded by.

        Raises:
            ImproperlyConfigured: GUARDS cannot be used.
        """
        rules = rules_of(self.raw.get("GUARDS", {}), category)
        if isinstance(rules, str):
            raise ImproperlyConfigured(rules)
        return rules

    def check_guards(self) -> None:
        """Read what messages of all categories are guarded by.

        Raises:
            ImproperlyConfigured: GUARDS cannot be used.
        """
        for category in CATEGORIES:
            self.guards(category)

    def retention(self, category: str) -> Retention:
        """Return how long messages of this category are kept.

        Raises:
            ImproperlyConfigured: RETENTION is no mapping of categories to days, or would have
                messages of one stripped that are deleted by then.
        """
        fault = self._fault_of_retention()
        if fault:
            raise ImproperlyConfigured(fault)
        days = self.raw.get("RETENTION", {}).get(category, {})
        return Retention(
            **{action: timedelta(days=number) for action, number in days.items() if number}
        )

    def _fault_of_retention(self) -> str:
        retention = self.raw.get("RETENTION", {})
        if not isinstance(retention, Mapping) or not retention.keys() <= CATEGORIES:
            return (
                "ETELECOM['RETENTION'] maps categories to days; "
                f"the categories are {', '.join(sorted(CATEGORIES))}."
            )
        for category, days in retention.items():
            named = f"ETELECOM['RETENTION']['{category}']"
            if not isinstance(days, Mapping) or not {"strip", "delete"} >= days.keys():
                return f"{named} maps 'strip', 'delete' or both to days."
            for action, number in days.items():
                is_whole = isinstance(number, int) and not isinstance(number, bool)
                if number is not None and not (is_whole and 0 < number <= LONGEST_RETENTION):
                    return (
                        f"{named}['{action}'] is a whole number of days, "
                        f"from 1 to {LONGEST_RETENTION}, or None."
                    )
            strip, delete = days.get("strip"), days.get("delete")
            if strip and delete and strip >= delete:
                return f"{named} deletes what is not stripped yet: 'strip' is less than 'delete'."
        return ""


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


settings = Settings()
