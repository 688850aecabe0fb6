"""A list of numbers from an uploaded file: what it would change is shown, then confirmed.

Between the two pages what was read rests with the browser, sealed for one person and some minutes.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.csrf import csrf_exempt

from ..models import Suppression
from ..number_lists import CONSENTED, Line, count_new, read_list, take_over
from ..numbers import Agreement, Entry
from ..numerals import grouped
from ..sealing import SealBroken, seal, unseal
from ..sheets import UnreadableSheet
from ..transactions import non_atomic
from .checked import CONFIRM_WITHIN
from .forms import admin_form, unusable_settings
from .log import recorded
from .numbers import record_import
from .upload_forms import SheetForm, bound_uploads, sheet_field, was_too_large

if TYPE_CHECKING:
    from .listed_numbers import ListedNumberAdmin

PURPOSE = "import of numbers"

MOST = 10_000
"""Lines of an upload; a person waits for it."""

MOST_SEALED = 2_000_000
"""Characters that a browser is given to keep; Django takes no more than 2.5 MB of fields."""

SHOWN = 20
"""Faulty lines that the page shows."""


REASONS = [choice for choice in Suppression.Reason.choices if choice[0] != "erased"]
"""Those that a person decides on; to erase a number does more."""


class SuppressionsForm(SheetForm):
    """A file of numbers that are to be suppressed."""

    file = sheet_field(
        gettext_lazy(
            "CSV or XLSX. The first line names the columns: phone, and where there are reason, "
            "scope and note. Nothing is listed before you have checked it."
        )
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        choices=REASONS,
        help_text=gettext_lazy("Where a line does not say so."),
    )


class ConsentsForm(SheetForm):
    """A file of consents that are to be recorded."""

    file = sheet_field(
        gettext_lazy(
            "CSV or XLSX. The first line names the columns: phone, and where there are source, "
            "given_at and withdrawn_at. Nothing is recorded before you have checked it."
        )
    )
    source = forms.CharField(
        label=gettext_lazy("Source"),
        required=False,
        max_length=255,
        help_text=gettext_lazy("How and where they were given, where a line does not say so."),
        widget=forms.TextInput({"class": "vTextField", "autocomplete": "off"}),
    )
    given_at = forms.DateField(
        label=gettext_lazy("Given on"),
        required=False,
        help_text=gettext_lazy("Where a line does not say so."),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )


def import_view(model_admin: ListedNumberAdmin) -> Callable[..., Any]:
    """Return the view of `…/import/`, open to who may add to the list."""

    def view(request: HttpRequest) -> HttpResponse:
        if not model_admin.has_add_permission(request):
            raise PermissionDenied
        match request.method:
            case "GET":
                return _page(model_admin, request, _form(model_admin))
            case "POST" if "lines" in request.POST:
                return _confirm(model_admin, request)
            case "POST":
                return _check(model_admin, request)
        return HttpResponseNotAllowed(["GET", "POST"])

    # It checks the token itself, as the middleware would have done.
    checked = model_admin.admin_site.admin_view(view)

    def bounded(request: HttpRequest) -> Any:
        # Before anything reads the body: the middleware looks for the token in there.
        bound_uploads(request)
        return checked(request)

    return non_atomic(csrf_exempt(bounded))


def _form(model_admin: ListedNumberAdmin, *args: Any, **kwargs: Any) -> SheetForm:
    form = ConsentsForm if model_admin.number_list is CONSENTED else SuppressionsForm
    return form(*args, **kwargs)


def _check(model_admin: ListedNumberAdmin, request: HttpRequest) -> HttpResponse:
    """Read the file and show what it would change."""
    form = _form(model_admin, request.POST, request.FILES, is_too_large=was_too_large(request))
    lines = _read(model_admin, form) if form.is_valid() else []
    if form.errors:
        return _page(model_admin, request, form)
    items = [line.item for line in lines if line.item is not None]
    faulty = [line for line in lines if line.faults]
    sealed = _sealed(model_admin, request, items)
    if len(sealed) > MOST_SEALED:
        form.add_error("file", _too_many(model_admin))
        return _page(model_admin, request, form)
    new = count_new(model_admin.number_list, items)
    return _page(
        model_admin,
        request,
        form,
        lines=sealed if items else "",
        new=grouped(new),
        known=grouped(len(items) - new),
        faulty=grouped(len(faulty)),
        faults=[(line.number, sentence) for line in faulty[:SHOWN] for sentence in line.faults],
        faults_are_cut=len(faulty) > SHOWN,
    )


def _read(model_admin: ListedNumberAdmin, form: SheetForm) -> list[Line[Any]]:
    """Return the lines of the file; a fault of it as a whole is told beside its field."""
    typed = dict(form.cleaned_data)
    file = typed.pop("file")
    given = {name: str(value or "") for name, value in typed.items()}
    lines: list[Line[Any]] = []
    try:
        for line in read_list(model_admin.number_list, file.file, file.name, given):
            lines.append(line)
            if len(lines) > MOST:
                form.add_error("file", _too_many(model_admin))
                break
    except UnreadableSheet as error:
        form.add_error("file", str(error))
    except ImproperlyConfigured as error:
        form.add_error(None, unusable_settings(error))
    return lines


def _too_many(model_admin: ListedNumberAdmin) -> str:
    return _(
        "This is too much for one upload: at most %(count)s lines are taken. Split it, or have it "
        "imported on the server: manage.py %(command)s FILE"
    ) % {"count": grouped(MOST), "command": model_admin.command}


def _confirm(model_admin: ListedNumberAdmin, request: HttpRequest) -> HttpResponse:
    """Take over what was checked."""
    try:
        items = _opened(model_admin, request)
    except SealBroken:
        notice = _("This was checked too long ago, or by somebody else: upload it again.")
        return _page(model_admin, request, _form(model_admin), notice=notice)
    lines: list[Line[Any]] = [Line(0, item, ()) for item in items]
    new = 0
    for taken, _faulty in take_over(model_admin.number_list, lines, by_pk=request.user.pk):
        new = taken.changed
    imported = gettext_lazy("Imported, new: %(count)d.")
    record_import(request, model_admin.model, recorded(imported, count=new))
    sentence = ngettext(
        "%(count)s number is new on the list.", "%(count)s numbers are new on the list.", new
    )
    messages.success(request, sentence % {"count": grouped(new)})
    shown = model_admin.has_view_permission(request)
    return HttpResponseRedirect(model_admin.url("changelist" if shown else "import"))


def _sealed(model_admin: ListedNumberAdmin, request: HttpRequest, items: Sequence[Any]) -> str:
    told = json.dumps(
        {
            "user": str(request.user.pk),
            "list": model_admin.opts.model_name,
            "items": [
                [one.isoformat() if isinstance(one, datetime) else one for one in item]
                for item in items
            ],
        }
    )
    packed = base64.b64encode(zlib.compress(told.encode())).decode()
    return seal(packed, purpose=PURPOSE)


def _opened(model_admin: ListedNumberAdmin, request: HttpRequest) -> list[Entry | Agreement]:
    """Return what was checked.

    Raises:
        SealBroken: it was not sealed here, not for this person and list, or too long ago.
    """
    packed = unseal(request.POST["lines"], purpose=PURPOSE, max_age=CONFIRM_WITHIN)
    told = json.loads(zlib.decompress(base64.b64decode(packed)))
    if (told["user"], told["list"]) != (str(request.user.pk), model_admin.opts.model_name):
        raise SealBroken("What was checked is another person's or another list's.")
    if model_admin.number_list is CONSENTED:
        return [
            Agreement(number, source, *(one and datetime.fromisoformat(one) for one in instants))
            for number, source, *instants in told["items"]
        ]
    return [Entry(*item) for item in told["items"]]


def _page(
    model_admin: ListedNumberAdmin, request: HttpRequest, form: SheetForm, **context: Any
) -> HttpResponse:
    site = model_admin.admin_site
    request.current_app = site.name
    title = _("Import: %(list)s") % {"list": model_admin.opts.verbose_name_plural}
    return TemplateResponse(
        request,
        "admin/etelecom/numbers/import.html",
        {
            **site.each_context(request),
            "title": title,
            # The admin's own page of a form shows it as the last of the breadcrumbs.
            "original": title,
            "opts": model_admin.opts,
            "media": model_admin.media,
            "has_view_permission": model_admin.has_view_permission(request),
            "adminform": admin_form(form, [(None, {"fields": list(form.fields)})]),
            "errors": form.errors,
            "import_url": model_admin.url("import"),
            **context,
        },
    )
