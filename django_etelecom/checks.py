"""System checks: what would keep this site from sending, told before it tries."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections

from .accounts import backend_class
from .backends.bulk import BulkBackend, fault_of_pycurl
from .backends.console import ConsoleBackend
from .backends.http import HTTPBackend
from .backends.locmem import LocMemBackend
from .client.transport import check_url
from .conf import KNOWN_ACCOUNT_SETTINGS, KNOWN_SETTINGS, settings
from .dispatchers import check_dispatcher, dispatcher, tasks
from .models import Consent, MessageLog, MessageTemplate, RouteRule, Suppression
from .numbers import has_lost_keys
from .phone import check_allowed_numbers
from .sealing import check_keys


@register("etelecom")
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check `settings.ETELECOM` and what the app needs of the site's other settings."""
    raw = getattr(django_settings, "ETELECOM", {})
    if not isinstance(raw, dict) or not isinstance(raw.get("ACCOUNTS", {}), dict):
        return [
            Error(
                "ETELECOM and ETELECOM['ACCOUNTS'] are dictionaries.",
                hint="ETELECOM = {'ACCOUNTS': {'default': {'USERNAME': …, 'PASSWORD': …}}}",
                id="etelecom.E001",
            )
        ]
    found: list[CheckMessage] = []
    if not django_settings.USE_TZ:
        found.append(
            Error(
                "USE_TZ is off; messages expire by instants, not by local times.",
                hint="Set USE_TZ = True.",
                id="etelecom.E002",
            )
        )
    if not settings.account_aliases:
        found.append(
            Warning(
                "ETELECOM['ACCOUNTS'] has no account: nothing can be sent.",
                hint="Add an account called 'default' with USERNAME and PASSWORD.",
                id="etelecom.W001",
            )
        )
    found += [
        _unknown(name, f"ETELECOM has no setting '{name}'.", KNOWN_SETTINGS)
        for name in settings.raw
        if name not in KNOWN_SETTINGS
    ]
    for alias in settings.account_aliases:
        found += _check_account(alias)
    return found + _check_values() + _check_engine()


def _unknown(name: str, sentence: str, known: frozenset[str]) -> CheckMessage:
    return Warning(sentence, hint=f"Known are {', '.join(sorted(known))}.", id="etelecom.W002")


def _check_account(alias: str) -> list[CheckMessage]:
    try:
        account = settings.account(alias)
    except ImproperlyConfigured as error:
        return [Error(str(error), id="etelecom.E003")]
    found = [
        _unknown(name, f"Account '{alias}' has no setting '{name}'.", KNOWN_ACCOUNT_SETTINGS)
        for name in settings.raw["ACCOUNTS"][alias]
        if name not in KNOWN_ACCOUNT_SETTINGS
    ]
    try:
        backend = backend_class(account)
    except ImproperlyConfigured as error:
        hint = "Use django_etelecom.backends.http.HTTPBackend, or leave BACKEND out."
        return [*found, Error(str(error), hint=hint, id="etelecom.E004")]
    if not issubclass(backend, HTTPBackend):
        return found
    if not account.username.reveal() or not account.password.reveal():
        found.append(
            Error(
                f"Account '{alias}' lacks USERNAME or PASSWORD.",
                hint="Both are given by eTelecom; read them from the environment.",
                id="etelecom.E005",
            )
        )
    fault = fault_of_pycurl() if issubclass(backend, BulkBackend) else ""
    if fault:
        found.append(Error(f"BACKEND of account '{alias}' {fault}", id="etelecom.E017"))
    try:
        check_url(account.base_url)
    except ValueError as error:
        found.append(
            Error(
                f"BASE_URL of account '{alias}' cannot be used: {error}",
                hint="The password travels in every request: https, but for the loopback.",
                id="etelecom.E006",
            )
        )
    return found


def _check_values() -> list[CheckMessage]:
    checks: list[tuple[str, Callable[[], object]]] = [
        ("etelecom.E007", check_keys),
        ("etelecom.E008", _check_expiry),
        ("etelecom.E009", check_allowed_numbers),
        ("etelecom.E010", lambda: settings.webhook_tokens),
        ("etelecom.E011", lambda: settings.confirms_reports),
        ("etelecom.E012", lambda: settings.poll_after),
        ("etelecom.E013", lambda: settings.max_polls_per_second),
        ("etelecom.E015", _check_time_zone),
        ("etelecom.E016", _check_retention),
        ("etelecom.E018", settings.check_guards),
    ]
    found: list[CheckMessage] = []
    for name, check in checks:
        try:
            check()
        except ImproperlyConfigured as error:
            found.append(Error(str(error), id=name))
    return found


def _check_engine() -> list[CheckMessage]:
    try:
        check_dispatcher()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="etelecom.E014")]
    if dispatcher() is not tasks:
        return []
    from .framework_tasks import fault_of_backend  # Not installed by a site that does not use it.

    fault = fault_of_backend()
    if not fault:
        return []
    return [
        Warning(
            f"ETELECOM['DISPATCHER'] is Django's tasks, and TASKS['default'] {fault}",
            hint="Set a backend that queues, such as django_tasks_db.DatabaseBackend.",
            id="etelecom.W006",
        )
    ]


def _check_time_zone() -> None:
    connection = connections[MessageLog.database()]
    # PostgreSQL keeps instants, others local times: leases and expiry are compared in UTC.
    zone = connection.settings_dict["TIME_ZONE"]
    if connection.vendor != "postgresql" and zone not in (None, "UTC"):
        raise ImproperlyConfigured(
            f"DATABASES['{connection.alias}']['TIME_ZONE'] is '{zone}': messages would expire and "
            "be asked about hours off. Leave it out."
        )


def _check_expiry() -> None:
    for category in MessageTemplate.Category.values:
        settings.expires_after(category)


def _check_retention() -> None:
    for category in MessageTemplate.Category.values:
        settings.retention(category)


@register("etelecom", deploy=True)
def check_deployment(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Warn of accounts that only pretend to send, and of personal data that nobody erases."""
    found: list[CheckMessage] = []
    for alias in settings.account_aliases:
        try:
            backend = backend_class(settings.account(alias))
        except ImproperlyConfigured:
            continue  # Told by `check_settings`.
        if issubclass(backend, ConsoleBackend | LocMemBackend):
            found.append(
                Warning(
                    f"Account '{alias}' sends nothing: its BACKEND is {backend.__name__}.",
                    hint="Leave BACKEND out to send through eTelecom.",
                    id="etelecom.W003",
                )
            )
    if "RETENTION" not in settings.raw:
        found.append(
            Warning(
                "ETELECOM has no RETENTION: phone numbers and parameters are kept for ever.",
                hint="Say how long they are needed, or {} if for ever, and run etelecom_prune.",
                id="etelecom.W007",
            )
        )
    return found


@register("etelecom", Tags.database)
def check_database(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Check routes and templates; runs with `migrate` and `check --database`."""
    if MessageLog.database() not in (databases or ()):
        return []
    try:
        has_default = RouteRule.objects.filter(is_default=True).exists()
        orphans = list(
            MessageTemplate.objects.filter(is_active=True)
            .exclude(account__in=settings.account_aliases)
            .values_list("code", "account")[:10]
        )
    except DatabaseError:
        return []  # Not migrated yet.
    found: list[CheckMessage] = []
    if not has_default:
        found.append(
            Warning(
                "There is no default route: templates without a route of their own cannot be sent.",
                hint="Mark a route rule as the default in the admin.",
                id="etelecom.W004",
            )
        )
    found += [
        Warning(
            f"Template '{code}' names the account '{account}', which is not in the settings.",
            hint="Add the account to ETELECOM['ACCOUNTS'] or change the template.",
            id="etelecom.W005",
        )
        for code, account in orphans
    ]
    return found + _check_lost_keys()


def _check_lost_keys() -> list[CheckMessage]:
    """Warn of listed numbers that no key of today's finds again."""
    try:
        lost = [model for model in (Suppression, Consent) if has_lost_keys(model)]
    except (DatabaseError, ImproperlyConfigured):
        return []  # Not migrated yet, or told by `check_settings`.
    return [
        Warning(
            f"Rows of the {model._meta.verbose_name_plural} go by a key that this site has no "
            f"more: {consequence}.",
            hint="Put the former key back, into ETELECOM['ENCRYPTION_KEYS'] or, if it was the "
            "SECRET_KEY, into SECRET_KEY_FALLBACKS.",
            id="etelecom.W008",
        )
        for model, consequence in _LOST.items()
        if model in lost
    ]


_LOST: Mapping[type[Suppression | Consent], str] = MappingProxyType(
    {
        Suppression: "those numbers are not known again, and are sent to",
        Consent: "those numbers are not known again, and get no advertising",
    }
)
