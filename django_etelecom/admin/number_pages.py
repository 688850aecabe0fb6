"""What is held about one number: exported and erased by those who may.

By the number that somebody types, for it may be on the suppression list alone, or from the page of
a message, whose number they need not see. Either is a POST, and the admin's log has it before it
begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from .. import phone
from ..exceptions import InvalidMessage
from ..models import MessageLog
from ..numerals import grouped
from ..privacy import Erased
from ..services import erase_number, export_number
from ..transactions import non_atomic
from .export import StreamedOverASGIToo
from .forms import admin_form
from .log import recorded
from .numbers import record_sight, sees_numbers

LOOKS_FOR = 5.0
"""Seconds that a page looks for what would go."""

PATIENCE = 20.0
"""Seconds that a request erases; what is left then another one takes, or the command."""

PIECE = 65_536
"""Characters of a document that are sent at once."""

LOOKED_FOR = gettext_lazy("Looked for what is held about %(number)s.")
EXPORTED = gettext_lazy("Exported all that is held about %(number)s.")
ERASED = gettext_lazy("Erased what is held about %(number)s.")
ERASED_AND_SUPPRESSED = gettext_lazy("Erased what is held about %(number)s, and suppressed it.")
"""For the admin's log."""


def may_disclose(request: HttpRequest) -> bool:
    """Whether this person may export what is held about a number, the number included."""
    return request.user.has_perm("etelecom.export_number")


def may_erase(request: HttpRequest) -> bool:
    """Whether this person may erase what is held about a number."""
    return request.user.has_perm("etelecom.erase_number")


def may_answer(request: HttpRequest) -> bool:
    """Whether this person may do something about a number."""
    return may_disclose(request) or may_erase(request)


class NumberForm(forms.Form):
    """A number as somebody typed it, which need not be one that may be sent to."""

    number = forms.CharField(
        label=gettext_lazy("Number"),
        help_text=gettext_lazy(
            "In any form, also one that may not be sent to today, such as 0912 345 678."
        ),
        error_messages={"required": gettext_lazy("The phone number is missing.")},
        widget=forms.TextInput({"type": "tel", "autocomplete": "off", "size": 40}),
    )

    def clean_number(self) -> str:
        try:
            return phone.recognize(self.cleaned_data["number"])
        except InvalidMessage as error:
            raise forms.ValidationError(error.messages) from None


class NumberPages(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """The page of a number, and the way to it for who may do no more than that."""

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows `messagelog/` for an object's id.
        view = sensitive_post_parameters()(NumberView.as_view(model_admin=self))
        return [
            path(
                "number/",
                non_atomic(self.admin_site.admin_view(view)),
                name="etelecom_messagelog_number",
            ),
            *super().get_urls(),
        ]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Have the admin's index list the messages for whoever may answer for a number."""
        allowed = super().get_model_perms(request)
        return {**allowed, "view": allowed["view"] or may_answer(request)}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Lead those from the index to the page of a number who may not see the list."""
        if (
            request.method in ("GET", "HEAD")
            and not self.has_view_permission(request)
            and may_answer(request)
        ):
            return HttpResponseRedirect(_number_url(self))
        return super().changelist_view(request, extra_context)


class NumberView(View):
    """The page of `messagelog/number/`; the field `act` of a POST says what is to be done."""

    model_admin: admin.ModelAdmin[Any] = None  # type: ignore[assignment]  # as_view() gives it

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_answer(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._form_page(NumberForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = NumberForm(request.POST)
        if not form.is_valid():
            return self._form_page(form)
        number = form.cleaned_data["number"]
        match request.POST.get("act"):
            case "export":
                return disclose(self.model_admin, request, number)
            case "erase":
                record_sight(request, _told(LOOKED_FOR, number))
                return erase_page(self.model_admin, request, number)
            case "confirm":
                return erase(self.model_admin, request, number)
        return self._form_page(form)

    def _form_page(self, form: NumberForm) -> HttpResponse:
        return _page(
            self.model_admin,
            self.request,
            "number",
            _("What is held about a number"),
            adminform=admin_form(form, [(None, {"fields": ["number"]})]),
            errors=form.errors,
            may_disclose=may_disclose(self.request),
            may_erase=may_erase(self.request),
        )


def disclose(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    number: str,
    message: MessageLog | None = None,
) -> HttpResponseBase:
    """Return all that is held about a number as a file.

    Args:
        model_admin: of messages.
        request: whose user asks.
        number: in wire form.
        message: from whose page; None: the number was typed.

    Raises:
        PermissionDenied: this person may not.
    """
    if not may_disclose(request):
        raise PermissionDenied
    try:
        pieces = export_number(number)
    except ImproperlyConfigured as error:
        return _refused(model_admin, request, message, error)
    record_sight(request, _told(EXPORTED, number), message)
    return StreamedOverASGIToo(
        _gathered(pieces),
        content_type="application/json; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="number-{timezone.localdate()}.json"'
        },
    )


def _gathered(pieces: Iterator[str]) -> Iterator[str]:
    kept: list[str] = []
    length = 0
    for piece in pieces:
        kept.append(piece)
        length += len(piece)
        if length >= PIECE:
            yield "".join(kept)
            kept, length = [], 0
    yield "".join(kept)


def erase_page(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    number: str,
    message: MessageLog | None = None,
    *,
    notice: str = "",
) -> HttpResponse:
    """Show what would be erased of a number, and ask. Takes what `disclose` takes."""
    if not may_erase(request):
        raise PermissionDenied
    try:
        would = erase_number(number, dry_run=True, go_on=_for_seconds(LOOKS_FOR))
    except ImproperlyConfigured as error:
        return _refused(model_admin, request, message, error)
    # Who typed it knows it.
    whole = message is None or sees_numbers(request)
    shown = phone.display(number) if whole else phone.mask(number)
    return _page(
        model_admin,
        request,
        "erase",
        _("Erase what is held about %(number)s?") % {"number": shown},
        would=would,
        number=number if message is None else "",
        back=_way_back(model_admin, message),
        notice=notice,
    )


def erase(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    number: str,
    message: MessageLog | None = None,
) -> HttpResponse:
    """Erase what is held about a number, and tell; ask again where something is left of it.

    Takes what `disclose` takes.
    """
    if not may_erase(request):
        raise PermissionDenied
    suppress = "suppress" in request.POST
    record = ERASED_AND_SUPPRESSED if suppress else ERASED
    record_sight(request, _told(record, number), message)
    try:
        erased = erase_number(
            number, suppress=suppress, by=request.user, go_on=_for_seconds(PATIENCE)
        )
    except ImproperlyConfigured as error:
        return _refused(model_admin, request, message, error)
    if not erased.is_complete:
        return erase_page(model_admin, request, number, message, notice=_what_is_left(erased))
    sentence = ngettext(
        "What was held about the number is erased: %(count)s message.",
        "What was held about the number is erased: %(count)s messages.",
        erased.messages,
    )
    messages.success(request, sentence % {"count": grouped(erased.messages)})
    if suppress:
        messages.success(request, _("It is on the suppression list: nothing is sent to it."))
    return HttpResponseRedirect(_way_back(model_admin, message))


def _what_is_left(erased: Erased) -> str:
    told = ngettext(
        "%(count)s message was erased, and not all of it yet.",
        "%(count)s messages were erased, and not all of it yet.",
        erased.messages,
    ) % {"count": grouped(erased.messages)}
    if erased.was_ended:
        why = _("There is more than one request can take: erase again, or run etelecom_erase.")
    elif erased.left:
        why = _("Some messages are being sent, which takes a minute or two: then erase again.")
    else:
        why = _("A campaign is being loaded that may have the number: erase again when it is.")
    return f"{told} {why}"


def _for_seconds(seconds: float) -> Callable[[Erased], bool]:
    ends_at = time.monotonic() + seconds
    return lambda _erased: time.monotonic() < ends_at


def _told(sentence: Promise, number: str) -> str:
    """Return words for the admin's log, which has no number in the clear."""
    return recorded(sentence, number=phone.mask(number))


def _refused(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    message: MessageLog | None,
    error: ImproperlyConfigured,
) -> HttpResponseRedirect:
    sentence = _("This site's settings do not allow it: %(error)s")
    messages.error(request, sentence % {"error": error})
    return HttpResponseRedirect(_way_back(model_admin, message))


def _way_back(model_admin: admin.ModelAdmin[Any], message: MessageLog | None) -> str:
    if message is None:
        return _number_url(model_admin)
    site = model_admin.admin_site.name
    return reverse("admin:etelecom_messagelog_change", args=[message.pk], current_app=site)


def _number_url(model_admin: admin.ModelAdmin[Any]) -> str:
    return reverse("admin:etelecom_messagelog_number", current_app=model_admin.admin_site.name)


def _page(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, name: str, title: str, **context: Any
) -> HttpResponse:
    """Return one of the pages of a number, `templates/admin/etelecom/number/<name>.html`."""
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(
        request,
        f"admin/etelecom/number/{name}.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": title,
            # The admin's own page of a form shows it as the last of the breadcrumbs.
            "original": title,
            "opts": model_admin.opts,
            "media": model_admin.media,
            "has_view_permission": model_admin.has_view_permission(request),
            **context,
        },
    )
