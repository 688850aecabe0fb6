"""What the admin's pages of the two lists of numbers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from .. import phone
from ..covers import Cover
from ..finding.key_walk import COUNTED, KeyWalk
from ..models.numbers import ListedNumber
from ..number_lists import COLUMNS, NumberList, written
from ..numerals import grouped
from ..sheets import write_csv
from ..transactions import non_atomic
from .asked import POPUP, SEARCH
from .export import StreamedOverASGIToo
from .key_list import Choices, KeyList, PageActionForm
from .log import recorded
from .lookups import AskableLists
from .number_import import import_view
from .number_search import NUMBER_SEARCHED, Filter, read_number_address
from .numbers import SAW_NUMBER, record_sight, sees_numbers, shown_number
from .search import searched_for

COVERED = ("note", "source", "recorded_by")
"""What people wrote, who may have written the number."""

EXPORTED_WHOLE = gettext_lazy("Exported as CSV, numbers whole.")
EXPORTED_MASKED = gettext_lazy("Exported as CSV, numbers masked.")


class ListedNumbers(KeyList):
    """A page of one of the lists."""

    model_admin: ListedNumberAdmin

    @property
    def words(self) -> tuple[str, ...]:  # type: ignore[override]  # as each list has it
        return (*self.model_admin.filters, SEARCH, *POPUP)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return what an action may be for; the page itself reads by key."""
        filters = self.model_admin.filters
        self.asked = read_number_address(self.params, filters)
        self.filter_specs: Any = [
            Choices(str(one.title), word, list(one.choices.items()))
            for word, one in filters.items()
        ]
        self.has_filters = True
        self.has_active_filters = any(self.params.get(word) for word in filters)
        self.clear_all_filters_qs = self.get_query_string(dict.fromkeys(filters))
        return self.root_queryset.filter(self.asked.conditions()).order_by("-pk")

    def get_results(self, request: HttpRequest) -> None:
        walk = KeyWalk(self.apply_select_related(self.root_queryset), self.asked)
        self.page = self.read_page(walk)
        self.sees_numbers = sees_numbers(request)
        for row in self.page.messages:
            cover_up(row, whole=self.sees_numbers)
        self.result_list = self.page.messages
        # What the admin's own templates count is what they show.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_admin_actions = bool(self.result_list)
        are_all = self.is_newest and self.page.goes_on is None
        self.total = self.result_count if are_all else walk.count()

    @property
    def total_in_words(self) -> str:
        if self.total is None:
            return ""
        if self.total > COUNTED:
            return _("More than %(count)s entries") % {"count": grouped(COUNTED)}
        told = {"count": grouped(self.total)}
        return ngettext("%(count)s entry", "%(count)s entries", self.total) % told

    @property
    def kept_words(self) -> list[tuple[str, str]]:
        """Return what a new search leaves as it is."""
        kept = (*self.model_admin.filters, *POPUP)
        return [(word, self.params[word]) for word in kept if word in self.params]

    @property
    def export_url(self) -> str:
        return self.model_admin.url("export") + self.get_query_string()


def cover_up(row: Any, *, whole: bool) -> None:
    """Have a row that is only to be shown hide what this person may not see.

    Args:
        row: of one of the lists; gets `shown_number`, `sender` and `is_covered`, which tells
            whether a text of its own was changed.
        whole: whether they may see whole numbers.
    """
    row.shown_number = shown_number(row, whole=whole)
    row.sender = str(row.created_by or "")
    row.is_covered = False
    if whole or not row.recipient:
        return
    cover = Cover(row.recipient)
    row.sender = cover.text(row.sender)
    for name in COVERED:
        if hasattr(row, name):
            covered = cover.text(getattr(row, name))
            row.is_covered |= covered != getattr(row, name)
            setattr(row, name, covered)


def _masked(told: dict[str, str]) -> dict[str, str]:
    if not told["phone"]:
        return told
    cover = Cover(told["phone"])
    covered = {name: cover.text(told[name]) for name in COVERED if name in told}
    return {**told, **covered, "phone": phone.mask(told["phone"])}


class ListedNumberAdmin(AskableLists):
    """Numbers are typed in to be listed, found by their digest, and masked."""

    number_list: ClassVar[NumberList[Any]]
    """What becomes of the lines of an uploaded file."""
    filters: ClassVar[Mapping[str, Filter]]
    command: ClassVar[str]
    """That takes larger files than an upload may be."""

    change_list_template = "admin/etelecom/numbers/change_list.html"
    search_help_text = NUMBER_SEARCHED
    ordering = ["-pk"]
    sortable_by = ()
    list_per_page = 50
    list_select_related = ["created_by"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    action_form = PageActionForm

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def may_export(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(
            "etelecom.export_messages"
        )

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows for an object's id.
        return [
            path("import/", import_view(self), name=self._name("import")),
            path(
                "export/",
                non_atomic(self.admin_site.admin_view(self.export_view)),
                name=self._name("export"),
            ),
            *super().get_urls(),
        ]

    def _name(self, page: str) -> str:
        return f"etelecom_{self.opts.model_name}_{page}"

    def url(self, page: str, *args: Any) -> str:
        """Return the address of one of the list's pages."""
        site = self.admin_site.name
        return reverse(f"admin:{self._name(page)}", args=args, current_app=site)

    # --- The list ---------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListedNumbers]:
        return ListedNumbers

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        told = {
            "may_export": self.may_export(request),
            "import_url": self.has_add_permission(request) and self.url("import"),
        }
        response = super().changelist_view(request, {**told, **(extra_context or {})})
        # An action may have answered in its place, as one that asks whether it is meant.
        page = response.context_data if isinstance(response, TemplateResponse) else None
        if page and "cl" in page:
            self._record_list(request, page["cl"])
        return response

    def _record_list(self, request: HttpRequest, listed: ListedNumbers) -> None:
        sentences = []
        if listed.asked.search:
            sentences.append(searched_for(listed.asked.search))
        seen = sum(bool(row.recipient) for row in listed.page.messages)
        if listed.sees_numbers and seen:
            saw = ngettext_lazy("Saw %(count)d number.", "Saw %(count)d numbers.", seen)
            sentences.append(recorded(saw, count=seen))
        if sentences:
            record_sight(request, " ".join(sentences), of=self.model)

    @admin.display(description=gettext_lazy("number"))
    def number_in_words(self, row: Any) -> str:
        return row.shown_number  # type: ignore[no-any-return]  # by `cover_up`

    @admin.display(description=gettext_lazy("recorded by"))
    def sender_in_words(self, row: Any) -> SafeString:
        return format_html("<bdi>{}</bdi>", row.sender)

    # --- One of it --------------------------------------------------------------------------------

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """Return an entry as this person may see it."""
        row: Any = super().get_object(request, object_id, from_field)
        if row is not None:
            cover_up(row, whole=sees_numbers(request))
        return row

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        row: ListedNumber | None = context["original"]
        if row is not None and row.recipient and sees_numbers(request):
            record_sight(request, recorded(SAW_NUMBER), row)
        return super().render_change_form(request, context, *args, **kwargs)

    # --- The list as a file -----------------------------------------------------------------------

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self.may_export(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        asked = read_number_address(request.GET.dict(), self.filters)
        whole = sees_numbers(request)
        record_sight(request, recorded(EXPORTED_WHOLE if whole else EXPORTED_MASKED), of=self.model)
        rows = self.get_queryset(request).filter(asked.conditions())
        shown: Callable[[dict[str, str]], dict[str, str]] = dict if whole else _masked
        lines = written(rows.none() if asked.faults else rows, shown=shown)
        name = f"{self.opts.model_name}-{timezone.localdate()}.csv"
        return StreamedOverASGIToo(
            write_csv(lines, list(COLUMNS[self.model])),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
