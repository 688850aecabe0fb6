"""The backend of each account, and what no report may show.

Both are made once in a process and kept while the settings stay.
"""

import threading
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .backends.base import BaseBackend
from .conf import Account, settings
from .redaction import Secrets

_backends: dict[str, BaseBackend] = {}
_secrets: Secrets | None = None
_lock = threading.Lock()


def backend_for(alias: str) -> BaseBackend:
    """Return the backend of the account called `alias`.

    Raises:
        ImproperlyConfigured: there is no such account, or it cannot work as it is set.
    """
    backend = _backends.get(alias)
    if backend is None:
        with _lock:
            backend = _backends.get(alias)
            if backend is None:
                account = settings.account(alias)
                backend = backend_class(account)(account)
                _backends[alias] = backend
    return backend


def backend_class(account: Account) -> type[BaseBackend]:
    """Import the account's backend.

    Raises:
        ImproperlyConfigured: BACKEND is not the dotted path of a `BaseBackend`.
    """
    try:
        found = import_string(account.backend)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"BACKEND of account '{account.alias}' cannot be imported: {error}."
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseBackend)):
        raise ImproperlyConfigured(
            f"BACKEND of account '{account.alias}', '{account.backend}', is not a subclass of "
            "django_etelecom.backends.base.BaseBackend."
        )
    return found


def secrets_of_provider() -> Secrets:
    """Return all secrets that the provider has, which no report of its may show when it is stored.

    A report says of no account that it is about it. Those count too that cannot be used.
    """
    global _secrets
    if _secrets is None:
        _secrets = Secrets(settings.known_to_provider.reveal())
    return _secrets


def _forget(*, setting: str, **_: Any) -> None:
    """Follow `override_settings`; a running site's settings do not change."""
    global _secrets
    if setting == "ETELECOM":
        _secrets = None
        with _lock:
            for backend in _backends.values():
                backend.close()
            _backends.clear()


setting_changed.connect(_forget, dispatch_uid="django_etelecom.accounts")
