"""The backend of each account, made once in a process and kept while its settings stay."""

import threading
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .backends.base import BaseBackend
from .conf import Account, settings

_backends: dict[str, BaseBackend] = {}
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


def _forget_backends(*, setting: str, **_: Any) -> None:
    """Follow `override_settings`; a running site's settings do not change."""
    if setting == "ETELECOM":
        with _lock:
            for backend in _backends.values():
                backend.close()
            _backends.clear()


setting_changed.connect(_forget_backends, dispatch_uid="django_etelecom.accounts")
