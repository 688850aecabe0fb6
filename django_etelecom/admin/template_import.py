"""Templates from the provider: choose an account, see what would change, take over what is ticked.

Between the two pages nothing is kept. The provider is asked again at the end, and where the changes
are not the ones that were shown any more, they are shown again and none is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import View

from ..conf import settings
from ..exceptions import ImportOutdated, TemplatesNotListed
from ..models import MessageTemplate
from ..services import check_import, import_templates
from ..template_plan import ImportPlan, TemplateChange, compared
from ..transactions import non_atomic
from .forms import admin_form
from .log import recorded

PARAMETER_PERMISSIONS = ("etelecom.add_templateparameter", "etelecom.change_templateparameter")


def import_view(model_admin: admin.ModelAdmin[Any]) -> Callable[..., Any]:
    """Return the view of `messagetemplate/import/`, open to who may add and change templates."""
    view: Callable[..., Any] = ImportTemplatesView.as_view(model_admin=model_admin)
    return non_atomic(model_admin.admin_site.admin_view(view))


class AccountForm(forms.Form):
    """The account whose templates are asked for."""

    account = forms.ChoiceField(
        label=gettext_lazy("Account"),
        choices=lambda: [(alias, alias) for alias in settings.account_aliases],
    )


class ChangesForm(forms.Form):
    """The templates that are to be taken over, named by their codes."""

    codes = forms.MultipleChoiceField(
        error_messages={
            "required": gettext_lazy("Tick at least one template."),
            "invalid_choice": gettext_lazy("Tick templates of this list only."),
        }
    )

    def __init__(self, plan: ImportPlan, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["codes"].choices = [  # type: ignore[attr-defined]  # of a ChoiceField
            (change.code, change.code) for change in plan.changes
        ]


class ImportTemplatesView(View):
    """The pages of `messagetemplate/import/`; `account` of the address says whose templates."""

    model_admin: admin.ModelAdmin[Any] = None  # type: ignore[assignment]  # as_view() gives it

    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not (
            self.model_admin.has_add_permission(request)
            and self.model_admin.has_change_permission(request)
            and request.user.has_perms(PARAMETER_PERMISSIONS)
        ):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        choice = _choice(request)
        if not choice.is_valid():
            return self._choice_page(choice)
        plan = _plan(choice.cleaned_data["account"])
        if isinstance(plan, str):
            return self._choice_page(choice, notice=plan)
        return self._plan_page(plan)

    def post(self, request: HttpRequest) -> HttpResponse:
        choice = _choice(request)
        if not choice.is_valid():
            return self._choice_page(choice)
        plan = _plan(choice.cleaned_data["account"])
        if isinstance(plan, str):
            nothing = _("Nothing was imported.")
            return self._choice_page(choice, notice=f"{nothing} {plan}")
        if not plan.has_fingerprint(request.POST.get("fingerprint", "")):
            return self._shown_again(plan, _("What you looked at was changed since."))
        form = ChangesForm(plan, request.POST)
        if not form.is_valid():
            return self._plan_page(plan, form=form)
        try:
            self._take_over(plan, form.cleaned_data["codes"])
        except ImportOutdated as error:
            return self._shown_again(compared(plan.account, plan.listed), str(error))
        return HttpResponseRedirect(self._list_url())

    def _take_over(self, plan: ImportPlan, codes: list[str]) -> None:
        """Import, record it for each template, and tell."""
        changes = {change.code: change for change in plan.changes}
        added = changed = 0
        # With its record, or not at all.
        with transaction.atomic(using=router.db_for_write(MessageTemplate)):
            for template in import_templates(plan, codes):
                change = changes[template.code]
                record = _record(change)
                if change.is_new:
                    added += 1
                    self.model_admin.log_addition(self.request, template, record)
                else:
                    changed += 1
                    self.model_admin.log_change(self.request, template, record)
        if changed:
            sentence = ngettext(
                "%(count)d template was changed.", "%(count)d templates were changed.", changed
            )
            messages.success(self.request, sentence % {"count": changed})
        if added:
            sentence = ngettext(
                "%(count)d template was added. It is not active: give it its category, text and "
                "route, then set it active.",
                "%(count)d templates were added. They are not active: give each its category, text "
                "and route, then set it active.",
                added,
            )
            messages.success(self.request, sentence % {"count": added})

    def _list_url(self) -> str:
        site = self.model_admin.admin_site.name
        return reverse("admin:etelecom_messagetemplate_changelist", current_app=site)

    def _choice_page(self, choice: AccountForm, *, notice: str = "") -> HttpResponse:
        if not settings.account_aliases:
            notice = _("There is no account in this site's settings.")
        return self._page(
            adminform=admin_form(choice, [(None, {"fields": ["account"]})]),
            errors=choice.errors,
            notice=notice,
        )

    def _plan_page(
        self, plan: ImportPlan, *, form: ChangesForm | None = None, notice: str = ""
    ) -> HttpResponse:
        # New ones do no harm, since they are not active; what is sent today, a person decides on.
        ticked = (
            self.request.POST.getlist("codes")
            if form
            else [change.code for change in plan.changes if change.is_new]
        )
        return self._page(
            plan=plan,
            changes=[(change, change.code in ticked) for change in plan.changes],
            errors=form.errors if form else None,
            faults=form.errors.get("codes", "") if form else "",
            notice=notice,
        )

    def _shown_again(self, plan: ImportPlan, why: str) -> HttpResponse:
        told = _("Nothing was imported. %(why)s This is what would change now.") % {"why": why}
        return self._plan_page(plan, notice=told)

    def _page(self, **context: Any) -> HttpResponse:
        site = self.model_admin.admin_site
        self.request.current_app = site.name
        title = _("Import templates from the provider")
        return TemplateResponse(
            self.request,
            "admin/etelecom/messagetemplate/import.html",
            {
                **site.each_context(self.request),
                "title": title,
                # The admin's own page of a form shows it as the last of the breadcrumbs.
                "original": title,
                "opts": self.model_admin.opts,
                "media": self.model_admin.media,
                "has_view_permission": True,
                **context,
            },
        )


def _choice(request: HttpRequest) -> AccountForm:
    """Return the account that the address names, or the only one there is, as a form."""
    aliases = settings.account_aliases
    if "account" in request.GET:
        return AccountForm(request.GET)
    return AccountForm({"account": aliases[0]} if len(aliases) == 1 else None)


def _plan(account: str) -> ImportPlan | str:
    """Return what the import would change, or a sentence on why that cannot be told."""
    try:
        return check_import(account)
    except TemplatesNotListed as error:
        return str(error)
    except ImproperlyConfigured as error:
        return _("This site's settings do not allow it: %(error)s") % {"error": error}


def _record(change: TemplateChange) -> str:
    """Return what the admin's log says of an import: the parameters that it added or changed."""
    if not change.parameters:
        return recorded(gettext_lazy("Imported from the provider: no parameters."))
    names = ", ".join(parameter.after.name for parameter in change.parameters)
    return recorded(gettext_lazy("Imported from the provider: %(names)s."), names=names)
