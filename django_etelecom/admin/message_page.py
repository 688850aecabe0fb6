"""The page of one message: what became of it, what went over the wire, what is to be done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import prefetch_related_objects
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..covers import cover_messages
from ..exceptions import InvalidMessage
from ..explanation import Step, explain, network_name
from ..models import Consent, MessageLog, Suppression
from ..models.messages import Reason
from ..models.routes import channel_names
from ..phone import recognize
from ..sealing import number_digests
from ..transactions import non_atomic
from .cancel import cancel_one
from .log import recorded
from .lookups import list_url, page_url
from .number_pages import disclose, erase, erase_page, may_disclose, may_erase
from .numbers import SAW_NUMBER, covered, record_sight, sees_numbers, shown_number
from .refresh import refresh_one
from .rendering import filled_text, legible
from .sending import again_page, may_resend, may_send
from .timeline import chain_of, timeline_of

View = Callable[[HttpRequest, MessageLog], HttpResponseBase]

STOPPED_BY: Mapping[str, type[Suppression | Consent]] = {
    Reason.SUPPRESSED: Suppression,
    Reason.NO_CONSENT: Consent,
}
"""Where it stands why a message was not sent, by its reason."""


class MessagePage(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """A message as a page; of its fields those that there is nothing to say of are left out."""

    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("status_in_words", "reason_in_words"),
                    "number_in_words",
                    "template",
                    "text_in_words",
                    "params_in_words",
                ]
            },
        ),
        (
            _("What the provider says"),
            {
                "fields": [
                    ("provider_message_id", "status_source"),
                    ("provider_status", "provider_detail_in_words"),
                    ("channel", "error_code", "network_in_words", "paid_messages"),
                ]
            },
        ),
        (
            _("Sending"),
            {
                "fields": [
                    ("account", "channels_in_words", "requested_route", "attempts"),
                    "sender_in_words",
                    ("created_at", "send_at", "sent_at", "updated_at", "expires_at"),
                    ("public_id", "metadata_in_words"),
                ]
            },
        ),
    ]
    readonly_fields = [
        "status_in_words",
        "reason_in_words",
        "number_in_words",
        "text_in_words",
        "params_in_words",
        "channels_in_words",
        "sender_in_words",
        "provider_detail_in_words",
        "network_in_words",
        "metadata_in_words",
        "public_id",
    ]

    # --- Its addresses ----------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows `messagelog/` for an object's id.
        return [
            self._path("refresh", self.refresh_view, "POST"),
            self._path("cancel", self.cancel_view, "POST", may=may_send),
            self._path(
                "resend", self.resend_view, "GET", may=lambda request: may_resend(request, self)
            ),
            self._path("disclose", self.disclose_view, "POST", may=may_disclose),
            self._path("erase", self.erase_view, "POST", may=may_erase),
            *super().get_urls(),
        ]

    def _path(
        self,
        name: str,
        view: View,
        method: str,
        *,
        may: Callable[[HttpRequest], bool] = lambda _request: True,
    ) -> Any:
        """Return the path of a view of one message.

        Args:
            name: the last part of its address.
            view: takes the request and the message.
            method: the one that it knows.
            may: whether a person may who may see messages.
        """

        def guarded(request: HttpRequest, object_id: str) -> HttpResponseBase:
            if request.method != method:
                return HttpResponseNotAllowed([method])
            if not self.has_view_permission(request) or not may(request):
                raise PermissionDenied
            message = self.get_object(request, object_id)
            if message is None:
                raise Http404
            return view(request, message)

        # What is asked or sent goes over the network, what is cancelled commits at once.
        return path(
            f"<path:object_id>/{name}/",
            non_atomic(self.admin_site.admin_view(guarded)),
            name=f"etelecom_messagelog_{name}",
        )

    def refresh_view(self, request: HttpRequest, message: MessageLog) -> HttpResponse:
        refresh_one(request, message)
        return self._to_page_of(message)

    def cancel_view(self, request: HttpRequest, message: MessageLog) -> HttpResponse:
        cancel_one(request, self, message)
        return self._to_page_of(message)

    def resend_view(self, request: HttpRequest, message: MessageLog) -> HttpResponse:
        return again_page(self, request, message)

    def disclose_view(self, request: HttpRequest, message: MessageLog) -> HttpResponseBase:
        """Return all that is held about the number of a message as a file."""
        return self._about_number(request, message, disclose)

    def erase_view(self, request: HttpRequest, message: MessageLog) -> HttpResponseBase:
        """Ask whether what is held about the number is to be erased; confirmed, erase it."""
        is_confirmed = request.POST.get("act") == "confirm"
        return self._about_number(request, message, erase if is_confirmed else erase_page)

    def _about_number(
        self, request: HttpRequest, message: MessageLog, act: Callable[..., HttpResponseBase]
    ) -> HttpResponseBase:
        # As it is stored: what lies on the number for this person's eyes is not on that.
        rows = MessageLog.objects.using(MessageLog.database()).filter(pk=message.pk)
        try:
            number = recognize(rows.values_list("recipient", flat=True).first())
        except InvalidMessage:
            messages.warning(request, str(_("There is no number any more: it was erased.")))
            return self._to_page_of(message)
        return act(self, request, number, message)

    def _to_page_of(self, message: MessageLog) -> HttpResponseRedirect:
        return HttpResponseRedirect(self._url("change", message.pk))

    def _url(self, name: str, *args: Any) -> str:
        site = self.admin_site.name
        return reverse(f"admin:etelecom_messagelog_{name}", args=args, current_app=site)

    # --- The page ---------------------------------------------------------------------------------

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """Return a message as this person may see it; `cover` is what lies on numbers in it."""
        rows = self.get_queryset(request)
        rows = rows.select_related("template", "campaign", "sent_by", "resend_of")
        try:
            message: Any = rows.get(pk=object_id)
        except (MessageLog.DoesNotExist, ValueError):
            return None
        cover_messages([message], whole=sees_numbers(request))
        return message

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what there is nothing to say of."""
        prefetch_related_objects([obj], "template__parameters")
        told = []
        for title, options in self.fieldsets:
            lines = [[line] if isinstance(line, str) else line for line in options["fields"]]
            kept = [[name for name in line if self._has(obj, name)] for line in lines]
            told.append((title, {"fields": [line for line in kept if line]}))
        return [(title, options) for title, options in told if options["fields"]]

    def _has(self, message: MessageLog, name: str) -> bool:
        display = getattr(self, name, None)
        value = display(message) if display else getattr(message, name)
        return value not in (None, "", {}, [])

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Say on top of the page what became of the message."""
        message = context["original"]
        if message.cover is None and not message.is_stripped:
            record_sight(request, recorded(SAW_NUMBER), message)
        timeline = timeline_of(message, message.cover)
        explanation = explain(message, timeline.events)
        may = {
            Step.REFRESH: True,
            Step.CANCEL: may_send(request),
            Step.RESEND: may_resend(request, self),
        }
        told = {
            "timeline": timeline,
            "explanation": explanation,
            "urls": {
                step.value: self._url(step.value, message.pk)
                for step in explanation.steps
                if may[step]
            },
            "number_urls": self._number_urls(request, message),
            "listed_url": self._listed_url(request, message),
            "chain": chain_of(message),
            "campaign_name": covered(message, str(message.campaign or "")),
            "sees_campaigns": request.user.has_perm("etelecom.view_campaign")
            or request.user.has_perm("etelecom.send_campaign"),
        }
        return super().render_change_form(request, {**context, **told}, *args, **kwargs)

    def _number_urls(self, request: HttpRequest, message: MessageLog) -> dict[str, str]:
        may = {"disclose": may_disclose(request), "erase": may_erase(request)}
        return {
            name: self._url(name, message.pk)
            for name, allowed in may.items()
            if allowed and not message.is_stripped
        }

    def _listed_url(self, request: HttpRequest, message: MessageLog) -> str:
        """Return the page of what stopped the message, of a list that this person may see."""
        model = STOPPED_BY.get(message.reason)
        if model is None or message.is_stripped or not list_url(self.admin_site, request, model):
            return ""
        # As it is in the database: here its number may be covered.
        rows = MessageLog.objects.filter(pk=message.pk)
        number = rows.values_list("recipient", flat=True).get()
        entry = model._default_manager.filter(number_digest__in=number_digests(number)).first()
        return page_url(self.admin_site, model, "change", entry.pk) if entry else ""

    # --- Its fields -------------------------------------------------------------------------------

    @admin.display(description=_("recipient"))
    def number_in_words(self, message: MessageLog) -> str:
        # As far as it may be seen: what is masked already is shown as it is.
        return shown_number(message, whole=True)

    @admin.display(description=_("sent by"))
    def sender_in_words(self, message: Any) -> SafeString | str:
        # Customers may be users whose name is their number.
        sender = covered(message, str(message.sent_by or ""))
        return sender and format_html("<bdi>{}</bdi>", sender)

    @admin.display(description=_("network"))
    def network_in_words(self, message: MessageLog) -> str:
        return network_name(message.network)

    @admin.display(description=_("reason"))
    def reason_in_words(self, message: MessageLog) -> str:
        return message.get_reason_display()

    @admin.display(description=_("text"))
    def text_in_words(self, message: MessageLog) -> SafeString | str:
        """The template's text of today with the values of then."""
        if message.is_stripped:
            return ""
        names = [parameter.name for parameter in message.template.parameters.all()]
        return message.template.text and filled_text(
            message.template.text, {**dict.fromkeys(names, ""), **message.params}
        )

    @admin.display(description=_("parameters"))
    def params_in_words(self, message: MessageLog) -> SafeString | str:
        return message.params and format_html(
            '<table class="etelecom-params">{}</table>',
            format_html_join(
                "",
                '<tr><th scope="row">{}</th><td><bdi>{}</bdi></td></tr>',
                message.params.items(),
            ),
        )

    @admin.display(description=_("channels"))
    def channels_in_words(self, message: MessageLog) -> str:
        return channel_names(message.channels)

    @admin.display(description=_("provider's words"))
    def provider_detail_in_words(self, message: MessageLog) -> SafeString | str:
        return message.provider_detail and format_html("<bdi>{}</bdi>", message.provider_detail)

    @admin.display(description=_("metadata"))
    def metadata_in_words(self, message: MessageLog) -> SafeString | str:
        return message.metadata and format_html(
            '<pre class="etelecom-payload" tabindex="0"><bdi>{}</bdi></pre>',
            legible(json.dumps(message.metadata, indent=2, ensure_ascii=False)),
        )
