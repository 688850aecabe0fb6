"""Sending by hand: choose a template, fill in its form, check, confirm.

Between check and confirm the browser keeps the message, secrets included, as one sealed field: it
opens for the person who checked it, for a quarter of an hour, and its nonce is the idempotency
key, so that a confirmation sent twice sends one message.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from .. import phone
from ..client.opaque import Opaque
from ..covers import covers_of
from ..exceptions import IdempotencyConflict, InvalidMessage, SendBlocked
from ..models import MessageLog, MessageTemplate
from ..models.messages import Status
from ..models.routes import channel_names
from ..models.templates import TemplatePlan
from ..redaction import MASK, clean_text
from ..sealing import SealBroken, key_digest
from ..services import MessageCheck, check_message, resend_message, send_message
from ..transactions import non_atomic
from .checked import CheckedMessage
from .forms import (
    PREFIX,
    MessageForm,
    TemplateChoiceForm,
    admin_form,
    label,
    message_arguments,
    unusable_settings,
)
from .guarded import guards_context
from .log import recorded
from .numbers import SAW_NUMBER, record_sight, sees_numbers
from .rendering import filled_text
from .repeats import Repeat, Way
from .sending import first_context, may_resend, may_send, send_page


class SendPages(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """The pages of sending, and the way to them for who may send and not see messages."""

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows `messagelog/` for an object's id.
        return [
            path("send/", send_view(self), name="etelecom_messagelog_send"),
            *super().get_urls(),
        ]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Have the admin's index list the messages for whoever may send some."""
        allowed = super().get_model_perms(request)
        return {**allowed, "view": allowed["view"] or may_send(request)}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Lead those from the index to the pages of sending who may not see the list."""
        if (
            request.method in ("GET", "HEAD")
            and not self.has_view_permission(request)
            and may_send(request)
        ):
            site = self.admin_site.name
            return HttpResponseRedirect(reverse("admin:etelecom_messagelog_send", current_app=site))
        return super().changelist_view(request, extra_context)


def send_view(model_admin: admin.ModelAdmin[Any]) -> Callable[..., Any]:
    """Return the view of `messagelog/send/`, open to the staff of `model_admin`'s site."""
    view: Callable[..., Any] = SendMessageView.as_view(model_admin=model_admin)
    view = model_admin.admin_site.admin_view(sensitive_post_parameters()(view))
    return non_atomic(view)


class SendMessageView(View):
    """The pages of `messagelog/send/`; the field `step` of a POST says which one it is.

    `check` shows what would be sent, or what stops it, `again` looks once more, `confirm` sends it,
    `change` goes back to the form.
    """

    model_admin: admin.ModelAdmin[Any] = None  # type: ignore[assignment]  # as_view() gives it

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_send(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        choice = TemplateChoiceForm(request.GET if "template" in request.GET else None)
        if not choice.is_valid():
            return self._choice_page(choice)
        code = choice.cleaned_data["template"]
        plan = _plan(code)
        if self._repeat is None and self._named is not None:
            notice = _("What the first message said was erased: this will be a new one.")
            return self._form_page(code, notice=notice)
        if self._repeat is None or plan is None:
            return self._form_page(code)
        form = self._form(plan)
        if not form.fields:
            return self._check(code, Opaque(request.POST))
        if self._repeat.cover is None and "to" in form.fields:
            record_sight(request, recorded(SAW_NUMBER), self._repeat.first)
        return self._form_page(code, form)

    def post(self, request: HttpRequest) -> HttpResponse:
        posted = taken_from(request)
        step = posted.reveal().get("step")
        if step not in ("confirm", "again", "change"):
            return self._check(request.GET.get("template", ""), posted)
        try:
            sealed = posted.reveal().get("message", "")
            checked = CheckedMessage.opened_by(request.user, sealed)
        except SealBroken:
            return self._form_page(
                request.GET.get("template", ""),
                notice=_(
                    "Nothing was sent: this check has expired or is not yours. "
                    "Fill in the form and check it again."
                ),
            )
        if step == "confirm":
            return self._confirm(checked)
        if step == "again":
            return self._check(checked.template, checked.again)
        return self._change(checked)

    def _form(
        self,
        plan: TemplatePlan,
        data: Opaque[Any] | None = None,
        *,
        initial: dict[str, str] | None = None,
    ) -> MessageForm:
        """Return the form, in which a message that is sent again has been filled in."""
        if self._repeat is None:
            return MessageForm(plan, data, initial=initial)
        typed = initial or {}
        return MessageForm(
            plan,
            data,
            initial={**self._repeat.initial(plan), **typed},
            kept=self._repeat.kept(plan, ask_also=filter(typed.get, typed)),
        )

    def _check(self, code: str, typed: Opaque[Any], *, notice: str = "") -> HttpResponse:
        plan = _plan(code)
        if plan is None:
            return self._choice_page(TemplateChoiceForm({"template": code}), notice=notice)
        form = self._form(plan, typed)
        if not form.is_valid():
            return self._form_page(code, form, notice=notice)
        checked = CheckedMessage(
            template=code,
            account=plan.account,
            typed=Opaque(form.typed),
            secret=[name for name in form.typed if name not in form.shareable],
            shown=_shown(plan, form.check),
            resend_of=str(self._repeat.first.public_id) if self._repeat else "",
            taken_over=form.taken_over,
        )
        if self._repeat and self._repeat.cover is None and "to" in form.taken_over:
            record_sight(self.request, recorded(SAW_NUMBER), self._repeat.first)
        values = {
            name: form.kept.cover(value) if PREFIX + name in form.taken_over else value
            for name, value in form.check.wire["list_param"].items()
        }
        return self._page(
            "check",
            _("Check the message"),
            template=code,
            text=plan.text
            and filled_text(plan.text, dict.fromkeys(plan.schema.names, "") | values),
            length=form.length,
            recipient=self._shown_number(form.check.recipient, form.taken_over),
            channels=channel_names(form.check.channels),
            params=[(label(name), value) for name, value in values.items()],
            sealed=checked.sealed_for(self.request.user),
            notice=notice,
            **guards_context(form.check.verdicts, self.request, self.model_admin.admin_site),
        )

    def _shown_number(self, recipient: str, taken_over: list[str]) -> str:
        """Return the number as this person may see it: who typed it sees it whole."""
        is_seen = "to" not in taken_over or sees_numbers(self.request)
        return phone.display(recipient) if is_seen else phone.mask(recipient)

    def _confirm(self, checked: CheckedMessage) -> HttpResponse:
        # Confirmed before: what has become of the template since then changes nothing of it.
        message = MessageLog.of_key(checked.account, key_digest(checked.nonce))
        if message is not None:
            return self._sent(message, checked)
        notice = _("Nothing was sent: the template or its route was changed after your check.")
        plan = _plan(checked.template)
        try:
            check = check_message(checked.template, **message_arguments(checked.typed.reveal()))
            if plan is not None and _shown(plan, check) == checked.shown:
                return self._sent(self._send(checked), checked)
        except InvalidMessage:
            notice = _("Nothing was sent: what you checked is not valid any more.")
        except SendBlocked as error:
            # What was typed is not lost by it: it waits on the page of the check.
            notice = _("Nothing was sent: %(error)s") % {"error": error}
            return self._check(checked.template, checked.again, notice=notice)
        except IdempotencyConflict as error:
            notice = _("Nothing was sent: %(error)s") % {"error": error}
        except ImproperlyConfigured as error:
            notice = _("Nothing was sent.") + " " + unusable_settings(error)
        form = self._form(plan, Opaque(checked.refill)) if plan else None
        return self._form_page(checked.template, form, notice=notice)

    def _send(self, checked: CheckedMessage) -> MessageLog:
        typed = Opaque(message_arguments(checked.typed.reveal()))
        once: dict[str, Any] = {"idempotency_key": checked.nonce, "sent_by": self.request.user}
        if not checked.resend_of:
            return send_message(checked.template, **typed.reveal(), **once)
        if not may_resend(self.request, self.model_admin):
            raise PermissionDenied
        rows = MessageLog.objects.using(MessageLog.database())
        first = rows.filter(public_id=checked.resend_of).first()
        if first is None:
            raise InvalidMessage({"message": [_("The first message does not exist any more.")]})
        return resend_message(first, **typed.reveal(), **once)

    def _sent(self, message: MessageLog, checked: CheckedMessage) -> HttpResponse:
        _tell(self.request, message, self._shown_number(message.recipient, checked.taken_over))
        return HttpResponseRedirect(self._page_after(message))

    @cached_property
    def _repeat(self) -> Repeat | None:
        """The message that is to be sent again: of one that was stripped nothing is left to send.

        Raises:
            PermissionDenied: as `_named`.
        """
        first = self._named
        if first is None or first.is_stripped:
            return None
        cover = None if sees_numbers(self.request) else covers_of([first])[first.pk]
        return Repeat(first, Way.named(self.request.GET.get("way", "")), cover)

    @cached_property
    def _named(self) -> MessageLog | None:
        """The message that the address names to be sent again, if any.

        Raises:
            PermissionDenied: this person may not see it, or not send again.
        """
        try:
            public_id = uuid.UUID(self.request.GET.get("resend_of", ""))
        except ValueError:
            return None
        code = self.request.GET.get("template", "")
        rows = MessageLog.objects.select_related("template")
        first = rows.filter(public_id=public_id).first()
        if first is None or first.template.code != code:
            return None
        if not may_resend(self.request, self.model_admin):
            raise PermissionDenied
        return first

    def _change(self, checked: CheckedMessage) -> HttpResponse:
        plan = _plan(checked.template)
        form = self._form(plan, initial=checked.refill) if plan else None
        return self._form_page(checked.template, form)

    def _page_after(self, message: MessageLog) -> str:
        site = self.model_admin.admin_site.name
        if self.model_admin.has_view_permission(self.request, message):
            return reverse("admin:etelecom_messagelog_change", args=[message.pk], current_app=site)
        query = urlencode({"template": message.template_code})
        return f"{reverse('admin:etelecom_messagelog_send', current_app=site)}?{query}"

    def _choice_page(self, choice: TemplateChoiceForm, *, notice: str = "") -> HttpResponse:
        return self._page(
            "choose",
            _("Send a message"),
            adminform=admin_form(choice, [(None, {"fields": ["template"]})]),
            errors=choice.errors,
            notice=notice,
        )

    def _form_page(
        self, code: str, form: MessageForm | None = None, *, notice: str = ""
    ) -> HttpResponse:
        plan = form.plan if form else _plan(code)
        if plan is None:
            return self._choice_page(TemplateChoiceForm({"template": code}), notice=notice)
        form = form or MessageForm(plan)
        return self._page(
            "form",
            _("Send again") if self._repeat else _("Send a message"),
            template=code,
            named=clean_text(code, 100),
            text=plan.text
            and filled_text(plan.text, {name: f"{{{name}}}" for name in plan.schema.names}),
            adminform=admin_form(form, form.fieldsets),
            errors=form.errors,
            notice=notice,
        )

    def _page(self, name: str, title: str, **context: Any) -> HttpResponse:
        query = {"template": context.get("template", "")}
        if self._repeat:
            context |= first_context(self._repeat.first)
            query |= {"resend_of": str(self._repeat.first.public_id), "way": self._repeat.way}
        context["query"] = urlencode({name: value for name, value in query.items() if value})
        return send_page(self.model_admin, self.request, name, title, **context)


def taken_from(request: HttpRequest) -> Opaque[QueryDict]:
    """Return what was posted, and leave nothing but its names in the request.

    An error reporter, and Django's debug page, add the form to whatever fails later.
    """
    posted: Opaque[QueryDict] = Opaque(request.POST)
    left = QueryDict(mutable=True)
    left.update(dict.fromkeys(posted.reveal(), MASK))
    request.POST = left  # type: ignore[assignment]  # the stubs know it as immutable
    return posted


def _shown(plan: TemplatePlan, check: MessageCheck) -> str:
    """Return what a message is to be, as far as a person may see it; it holds no secret."""
    params = check.wire["list_param"]
    return json.dumps([plan.account, check.recipient, check.channels, check.text, params])


def _plan(code: str) -> TemplatePlan | None:
    # Compared here: some databases refuse to be asked for a NUL, some find `abc` for `ABC`.
    if code not in MessageTemplate.objects.order_by().values_list("code", flat=True):
        return None
    return MessageTemplate.objects.plan(Q(code=code))


def _tell(request: HttpRequest, message: MessageLog, number: str) -> None:
    """Say what became of the message on the page that comes next."""
    to = {"number": number}
    match message.status:
        case Status.ACCEPTED | Status.DELIVERED:
            messages.success(request, _("The provider took the message to %(number)s.") % to)
        case Status.QUEUED | Status.SENDING:
            messages.info(request, _("The message to %(number)s is being sent.") % to)
        case Status.UNKNOWN:
            messages.warning(
                request,
                _(
                    "It is not known whether the message to %(number)s went out. "
                    "It is not sent again by itself."
                )
                % to,
            )
        case Status.REJECTED:
            messages.error(request, _("The provider refused the message to %(number)s.") % to)
        case Status.UNDELIVERED:
            messages.error(request, _("The message to %(number)s did not arrive.") % to)
        case _:
            messages.error(request, _("The message to %(number)s was not sent.") % to)
