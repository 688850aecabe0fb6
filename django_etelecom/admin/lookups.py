"""What the address of a list may ask the database for, and the address itself."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.db import DataError, NotSupportedError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse

LONGEST = 1000
"""Characters that a list is asked for: SQLite refuses a long pattern, and no column holds more."""


class AskableLists(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """An admin whose lists answer 400, not 500, to a filter that the database cannot be asked."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # PostgreSQL refuses a NUL with an error, others look for it.
        if "\x00" in value or len(value) > LONGEST:
            return False
        return super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # Of a NUL the form of a list's search box tells; a field that completes has no such form.
        if "\x00" in search_term or len(search_term) > LONGEST:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            for ticked in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.model._meta.pk.run_validators(self.model._meta.pk.to_python(ticked))
        except ValidationError as error:
            raise SuspiciousOperation("What is ticked is not on this list.") from error
        return super().response_action(request, *args, **kwargs)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        try:
            return super().get_changelist_instance(request)
        # Years beyond the calendar, numbers beyond the column, lookups that a field lacks.
        except (OverflowError, ValueError, DataError, NotSupportedError) as error:
            if not request.GET:
                raise
            raise SuspiciousOperation("This list cannot be filtered so.") from error


def list_url(site: admin.AdminSite, request: HttpRequest, model: type[Model]) -> str:
    """Return the address of a list; "" where the site has none, or not for this person."""
    listed = page_url(site, model, "changelist")
    may_see = listed and site.get_model_admin(model).has_view_permission(request)
    return listed if may_see else ""


def page_url(site: admin.AdminSite, model: type[Model], page: str, *args: Any) -> str:
    """Return the address of a page of a model; "" where the site does not have the model.

    Args:
        site: one that has perhaps some of the app's models only.
        model: whose page.
        page: what it is called, such as `changelist` or `change`.
        args: of the address.
    """
    if not site.is_registered(model):
        return ""
    name = f"admin:etelecom_{model._meta.model_name}_{page}"
    return reverse(name, args=args, current_app=site.name)
