"""Sending by hand: choose a template, fill in its form, check, confirm.

Between check and confirm the browser keeps the message, secrets included, as one sealed field: it
opens for the person who checked it, for a quarter of an hour, and its nonce is the idempotency
key, so that a confirmation sent twice sends one message.
"""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from .. import phone
from ..client.opaque import Opaque
from ..exceptions import IdempotencyConflict, InvalidMessage, SendBlocked
from ..models import MessageLog, MessageTemplate
from ..models.messages import Status
from ..models.routes import channel_names
from ..models.templates import TemplatePlan
from ..redaction import MASK
from ..schema import Kind
from ..sealing import SealBroken, key_digest, seal, unseal
from ..services import MessageCheck, check_message, resend_message, send_message
from ..transactions import non_atomic
from .forms import (
    PREFIX,
    MessageForm,
    TemplateChoiceForm,
    admin_form,
    label,
    message_arguments,
    unusable_settings,
)
from .rendering import filled_text

PURPOSE = "admin send"

CERTAINLY_NOT_ARRIVED = (Status.REJECTED, Status.NOT_SENT, Status.CANCELLED, Status.UNDELIVERED)

_DAY = re.compile("([0-9]{2})/([0-9]{2})/([0-9]{4})")

CONFIRM_WITHIN = 15 * 60
"""Seconds."""


def send_view(model_admin: admin.ModelAdmin[Any]) -> Callable[..., Any]:
    """Return the view of `messagelog/send/`, open to the staff of `model_admin`'s site."""
    view: Callable[..., Any] = SendMessageView.as_view(model_admin=model_admin)
    view = model_admin.admin_site.admin_view(sensitive_post_parameters()(view))
    return non_atomic(view)


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedMessage:
    """What a person has checked and may confirm."""

    template: str
    """The template's code."""
    account: str
    typed: Opaque[dict[str, str]]
    """What the fields of the form held."""
    secret: list[str]
    """Which of those fields held a secret."""
    shown: str
    """What the page of the check showed, secrets masked."""
    resend_of: str = ""
    """Public id of the message that this one repeats; empty: none."""
    nonce: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def sealed_for(self, user: Any) -> str:
        return seal(
            json.dumps(
                {
                    "user": str(user.pk),
                    "nonce": self.nonce,
                    "template": self.template,
                    "account": self.account,
                    "typed": self.typed.reveal(),
                    "secret": self.secret,
                    "shown": self.shown,
                    "resend_of": self.resend_of,
                }
            ),
            purpose=PURPOSE,
        )

    @classmethod
    def opened_by(cls, user: Any, token: str) -> CheckedMessage:
        """Return the message sealed in `token`.

        Raises:
            SealBroken: it was not sealed here, not for this user, or too long ago.
        """
        opened = json.loads(unseal(token, purpose=PURPOSE, max_age=CONFIRM_WITHIN))
        if opened["user"] != str(user.pk):
            raise SealBroken("The sealed message is another person's.")
        return cls(
            template=opened["template"],
            account=opened["account"],
            typed=Opaque(opened["typed"]),
            secret=opened["secret"],
            shown=opened["shown"],
            resend_of=opened["resend_of"],
            nonce=opened["nonce"],
        )

    def refilled(self, plan: TemplatePlan) -> MessageForm:
        """Return the form with what was typed but the secrets, whatever they are by now."""
        typed = self.typed.reveal().items()
        return MessageForm(plan, {name: value for name, value in typed if name not in self.secret})


class SendMessageView(View):
    """The pages of `messagelog/send/`; the field `step` of a POST says which one it is.

    `check` shows what would be sent, `confirm` sends it, `change` goes back to the form.
    """

    model_admin: admin.ModelAdmin[Any] = None  # type: ignore[assignment]  # as_view() gives it

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.has_perm("etelecom.send_message"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        choice = TemplateChoiceForm(request.GET if "template" in request.GET else None)
        if not choice.is_valid():
            return self._choice_page(choice)
        code = choice.cleaned_data["template"]
        first, plan = self._first, _plan(code)
        if first is None and self._named is not None:
            notice = _("What the first message said was erased: this will be a new one.")
            return self._form_page(code, notice=notice)
        if first is None or plan is None:
            return self._form_page(code)
        return self._form_page(code, MessageForm(plan, initial=_typed_of(first, plan)))

    def post(self, request: HttpRequest) -> HttpResponse:
        step = request.POST.get("step")
        if step not in ("confirm", "change"):
            return self._check(request.GET.get("template", ""))
        try:
            checked = CheckedMessage.opened_by(request.user, request.POST.get("message", ""))
        except SealBroken:
            return self._form_page(
                request.GET.get("template", ""),
                notice=_(
                    "Nothing was sent: this check has expired or is not yours. "
                    "Fill in the form and check it again."
                ),
            )
        return self._confirm(checked) if step == "confirm" else self._change(checked)

    def _check(self, code: str) -> HttpResponse:
        plan = _plan(code)
        if plan is None:
            return self._choice_page(TemplateChoiceForm({"template": code}))
        form = MessageForm(plan, self.request.POST)
        if not form.is_valid():
            return self._form_page(code, form)
        checked = CheckedMessage(
            template=code,
            account=plan.account,
            typed=Opaque(form.typed),
            secret=[name for name in form.typed if name not in form.shareable],
            shown=_shown(plan, form.check),
            resend_of=str(self._first.public_id) if self._first else "",
        )
        values = form.check.wire["list_param"]
        return self._page(
            "check",
            _("Check the message"),
            template=code,
            text=plan.text
            and filled_text(plan.text, dict.fromkeys(plan.schema.names, "") | values),
            length=form.length,
            recipient=phone.display(form.check.recipient),
            channels=channel_names(form.check.channels),
            params=[(label(name), value) for name, value in values.items()],
            sealed=checked.sealed_for(self.request.user),
        )

    def _confirm(self, checked: CheckedMessage) -> HttpResponse:
        # Confirmed before: what has become of the template since then changes nothing of it.
        message = MessageLog.of_key(checked.account, key_digest(checked.nonce))
        if message is not None:
            _tell(self.request, message)
            return HttpResponseRedirect(self._page_after(message))
        notice = _("Nothing was sent: the template or its route was changed after your check.")
        try:
            check = check_message(checked.template, **message_arguments(checked.typed.reveal()))
            plan = _plan(checked.template)
            if plan is not None and _shown(plan, check) == checked.shown:
                message = self._send(checked)
                _tell(self.request, message)
                return HttpResponseRedirect(self._page_after(message))
        except InvalidMessage:
            notice = _("Nothing was sent: what you checked is not valid any more.")
        except (IdempotencyConflict, SendBlocked) as error:
            notice = _("Nothing was sent: %(error)s") % {"error": error}
        except ImproperlyConfigured as error:
            notice = _("Nothing was sent.") + " " + unusable_settings(error)
        plan = _plan(checked.template)
        form = checked.refilled(plan) if plan else None
        return self._form_page(checked.template, form, notice=notice)

    def _send(self, checked: CheckedMessage) -> MessageLog:
        arguments: dict[str, Any] = {
            **message_arguments(checked.typed.reveal()),
            "idempotency_key": checked.nonce,
            "sent_by": self.request.user,
        }
        if not checked.resend_of:
            return send_message(checked.template, **arguments)
        rows = MessageLog.objects.using(MessageLog.database())
        first = rows.filter(public_id=checked.resend_of).first()
        if first is None:
            raise InvalidMessage({"message": [_("The first message does not exist any more.")]})
        return resend_message(first, **arguments)

    @property
    def _first(self) -> MessageLog | None:
        """The message that is to be sent again: of one that was stripped nothing is left to send.

        Raises:
            PermissionDenied: as `_named`.
        """
        named = self._named
        return None if named is None or named.is_stripped else named

    @property
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
        if not (
            self.request.user.has_perm("etelecom.resend_message")
            and self.model_admin.has_view_permission(self.request, first)
        ):
            raise PermissionDenied
        return first

    def _change(self, checked: CheckedMessage) -> HttpResponse:
        plan = _plan(checked.template)
        if plan is None:
            return self._form_page(checked.template)
        filled = checked.refilled(plan)
        return self._form_page(checked.template, MessageForm(plan, initial=filled.shareable))

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
            _("Send a message"),
            template=code,
            text=plan.text
            and filled_text(plan.text, {name: f"{{{name}}}" for name in plan.schema.names}),
            adminform=admin_form(form, form.fieldsets),
            errors=form.errors,
            notice=notice,
        )

    def _context_of_resend(self, code: str) -> dict[str, Any]:
        query = {"template": code}
        first = self._first
        if first is not None:
            query["resend_of"] = str(first.public_id)
        return {
            "first": first,
            "may_have_arrived": first is not None and first.status not in CERTAINLY_NOT_ARRIVED,
            "query": urlencode(query),
        }

    def _page(self, name: str, title: str, **context: Any) -> HttpResponse:
        self.request.current_app = self.model_admin.admin_site.name
        return TemplateResponse(
            self.request,
            f"admin/etelecom/send/{name}.html",
            {
                **self.model_admin.admin_site.each_context(self.request),
                "title": title,
                # The admin's own page of a form shows it as the last of the breadcrumbs.
                "original": title,
                "opts": self.model_admin.opts,
                "media": self.model_admin.media,
                **self._context_of_resend(context.get("template", "")),
                "has_view_permission": self.model_admin.has_view_permission(self.request),
                **context,
            },
        )


def _typed_of(message: MessageLog, plan: TemplatePlan) -> dict[str, str]:
    """Return what the form held when the message was sent, but for its secrets."""
    kept = {PREFIX + name: value for name, value in message.params.items() if value != MASK}
    for parameter in plan.schema.parameters:
        day = _DAY.fullmatch(kept.get(PREFIX + parameter.name, ""))
        if parameter.kind == Kind.DATE and day:
            # As a browser's field for a date takes it.
            kept[PREFIX + parameter.name] = "-".join(reversed(day.groups()))
    to = phone.display(message.recipient)
    return {**kept, "to": to, "route": message.requested_route}


def _shown(plan: TemplatePlan, check: MessageCheck) -> str:
    """Return what a message is to be, as far as a person may see it; it holds no secret."""
    params = check.wire["list_param"]
    return json.dumps([plan.account, check.recipient, check.channels, check.text, params])


def _plan(code: str) -> TemplatePlan | None:
    # Compared here: some databases refuse to be asked for a NUL, some find `abc` for `ABC`.
    if code not in MessageTemplate.objects.order_by().values_list("code", flat=True):
        return None
    return MessageTemplate.objects.plan(Q(code=code))


def _tell(request: HttpRequest, message: MessageLog) -> None:
    """Say what became of the message on the page that comes next."""
    to = {"number": phone.display(message.recipient)}
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
