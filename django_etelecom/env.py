"""Makes an account out of an environment variable, as `env.db()` makes a database."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_BACKENDS = {
    "etelecom": "django_etelecom.backends.http.HTTPBackend",
    "etelecom+http": "django_etelecom.backends.http.HTTPBackend",
    "console": "django_etelecom.backends.console.ConsoleBackend",
    "locmem": "django_etelecom.backends.locmem.LocMemBackend",
}
_SECONDS = ("CONNECT_TIMEOUT", "TIMEOUT")


class Credential(str):
    """Text whose repr does not show it: Django's debug page prints all settings.

    It masks a PASSWORD by its name, and would show a USERNAME.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'•••'"


def account(env_var: str = "ETELECOM_URL", *, default: str | None = None) -> dict[str, Any]:
    """Read an entry for `ETELECOM["ACCOUNTS"]` from the environment variable `env_var`.

    Forms: `etelecom://user:password@sms.etelecom.vn`, the same as `etelecom+http://` for a server
    on the loopback, `console://` and `locmem://`. User name and password are percent-encoded.
    Settings follow as a query: `?routerule_format=list&connect_timeout=5&timeout=15`.

    Args:
        env_var: the variable's name.
        default: the URL where the variable is not set.

    Raises:
        ImproperlyConfigured: the variable is not set, or is not such a URL.
    """
    url = environ.Env().str(env_var, default=environ.Env.NOTSET if default is None else default)
    entry = _entry(url)
    # The sentence names the variable alone: its value holds a password.
    del url
    if isinstance(entry, str):
        raise ImproperlyConfigured(f"{env_var}: {entry}")
    return entry


def _entry(url: str) -> dict[str, Any] | str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "this is not a URL."
    if parts.scheme not in _BACKENDS:
        return f"the URL begins with one of {', '.join(f'{name}://' for name in _BACKENDS)}."
    entry: dict[str, Any] = {"BACKEND": _BACKENDS[parts.scheme]}
    if parts.scheme.startswith("etelecom"):
        if not (parts.hostname and parts.username and parts.password):
            return "the URL needs user name, password and host: etelecom://user:password@host."
        scheme = "http" if parts.scheme.endswith("http") else "https"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        entry |= {
            "USERNAME": Credential(unquote(parts.username)),
            "PASSWORD": Credential(unquote(parts.password)),
            "BASE_URL": f"{scheme}://{host}{f':{port}' if port else ''}{parts.path}",
        }
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        setting = name.upper()
        if setting in entry:
            return f"the option '{name}' is given twice."
        if setting in _SECONDS:
            try:
                entry[setting] = float(value)
            except ValueError:
                return f"{name} is a number of seconds."
        elif setting == "ROUTERULE_FORMAT":
            entry[setting] = value
        else:
            return f"there is no option '{name}'."
    return entry
