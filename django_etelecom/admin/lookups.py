"""What the address of a list may ask the database for."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class StorableLookups(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """An admin whose lists answer 400 to a filter that PostgreSQL would refuse with an error."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return "\x00" not in value and super().lookup_allowed(lookup, value, request)
