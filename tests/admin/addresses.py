"""Every address of the app's admin, as the URL resolver knows them."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver, get_resolver

OF_DJANGO = {
    "index",
    "login",
    "logout",
    "password_change",
    "password_change_done",
    "autocomplete",
    "jsi18n",
    "view_on_site",
    "app_list",
    # What no address fits.
    None,
}
"""Pages that every admin site has, whatever is registered."""


def routes() -> dict[str, str]:
    """Return the routes below `/admin/` that are ours, by name, those without one by themselves."""
    _prefix, site = get_resolver().namespace_dict["admin"]
    found = {}
    for own in site.url_patterns:
        if not isinstance(own, URLResolver):
            if own.name not in OF_DJANGO:
                found[own.name.removeprefix("etelecom_")] = str(own.pattern)
        elif str(own.pattern).startswith("etelecom/"):
            found |= _by_name(_below(own, ""))
    return found


def _below(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, str]]:
    prefix += str(resolver.pattern)
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            yield from _below(one, prefix)
        else:
            route = prefix + str(one.pattern)
            yield (one.name or route).removeprefix("etelecom_"), route


def _by_name(found: Iterator[tuple[str, str]]) -> dict[str, str]:
    """Return routes by name; of two of one name, the second by itself."""
    named: dict[str, str] = {}
    for name, route in found:
        named[route if name in named else name] = route
    return named


def model_of(name: str) -> str:
    """Return the model whose page a name or route is: `messagelog` of `messagelog_send`."""
    return re.split("[_/]", name.removeprefix("etelecom/"))[0]


def address(name: str, of: Any = None) -> str:
    """Return the address of a page; `of` is the row that it is about, where it is about one."""
    key = str(of.pk) if of is not None else ""
    return "/admin/" + re.sub("<[^>]+>", key, routes()[name])
