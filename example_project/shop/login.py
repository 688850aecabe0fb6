"""Logging in by phone: ask for a code, get it as a message, type it in."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from django_etelecom import services
from django_etelecom.exceptions import (
    InvalidMessage,
    MessageFailed,
    OutcomeUnknown,
    PhoneNumberRefused,
    SendBlocked,
)
from django_etelecom.phone import display

from . import one_time_codes
from .forms import CodeForm, PhoneForm, add_message_faults
from .one_time_codes import Verdict


# Outside a transaction the message is sent before `send_message` returns, so that the page can
# say what came of it. With ATOMIC_REQUESTS it would go out only after this view.
@transaction.non_atomic_requests
@require_http_methods(["GET", "HEAD", "POST"])
def ask_for_code(request: HttpRequest) -> HttpResponse:
    form = PhoneForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _send_code(request, form):
        return redirect("shop:enter_code")
    return render(request, "shop/ask_for_code.html", {"form": form})


@sensitive_variables("code")
def _send_code(request: HttpRequest, form: PhoneForm) -> bool:
    """Send a code to the number in the form; if that fails say so in the form."""
    phone = form.cleaned_data["phone"]
    ticket, code = one_time_codes.make()
    try:
        message = services.send_message("login_otp", phone, {"otp": code})
        message.raise_for_status()
    except InvalidMessage as error:
        add_message_faults(form, error, form.message_fields)
        return False
    except SendBlocked as error:
        form.add_error(*_why_not(error))
        return False
    except PhoneNumberRefused:
        form.add_error("phone", _("This number cannot receive messages. Is it typed right?"))
        return False
    except OutcomeUnknown:
        # The code may well arrive, so let it be typed in.
        messages.warning(request, _("The code may take longer than usual to arrive."))
    except MessageFailed:
        form.add_error(None, _("We could not send you a code. Try again in a minute."))
        return False
    request.session["pending_login"] = {"ticket": ticket, "recipient": message.recipient}
    return True


def _why_not(error: SendBlocked) -> tuple[str | None, str]:
    """Return the field that it is about, and what a visitor is told of it."""
    if error.reason == "cooldown":
        sentence = ngettext(
            "This number was just sent a code. The next one may go in %(seconds)d second.",
            "This number was just sent a code. The next one may go in %(seconds)d seconds.",
            error.retry_after,
        )
        return "phone", sentence % {"seconds": error.retry_after}
    if error.reason == "recipient_limit":
        return "phone", _("This number had too many codes. Try again later, or call us.")
    # A paused account or a spent budget is the shop's own trouble, and no visitor's.
    return None, _("We could not send you a code. Try again in a minute.")


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def enter_code(request: HttpRequest) -> HttpResponse:
    pending = request.session.get("pending_login")
    if pending is None:
        return redirect("shop:ask_for_code")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        verdict = one_time_codes.check(pending["ticket"], form.cleaned_data["code"])
        if verdict is Verdict.RIGHT:
            # A real site would find or make its user here and call `django.contrib.auth.login`.
            request.session.flush()
            request.session["recipient"] = pending["recipient"]
            return redirect("shop:logged_in")
        if verdict is Verdict.SPENT:
            del request.session["pending_login"]
            messages.error(request, _("This code cannot be used any more. Ask for a new one."))
            return redirect("shop:ask_for_code")
        form.add_error("code", _("This is not the code that we sent."))
    context = {"form": form, "phone": display(pending["recipient"])}
    return render(request, "shop/enter_code.html", context)


@require_safe
def logged_in(request: HttpRequest) -> HttpResponse:
    if "recipient" not in request.session:
        return redirect("shop:ask_for_code")
    context = {"phone": display(request.session["recipient"])}
    return render(request, "shop/logged_in.html", context)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return redirect("shop:products")
