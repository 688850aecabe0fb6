"""Templates from the provider: ask for its list, and take over what a person has seen of it.

    check_import()       ask for all pages, compare them with the site's own templates
    import_templates()   write the changes that were chosen, all or none

Nothing of ours is deleted, and a template's text, name, route and whether it is active are nobody's
but the site's. A new template is not active: the provider tells neither its text nor what it is
for, and that decides at which hours it may go.
"""

import dataclasses
from collections.abc import Collection

from django.db import IntegrityError, router, transaction
from django.db.models import F, Max
from django.utils.translation import gettext as _

from .accounts import backend_for
from .backends.base import BaseBackend
from .client.codes import Failure, Refusal
from .client.interrupts import comes_from_outside
from .client.opaque import bare
from .client.templates import TemplatesResult, read_list
from .exceptions import ImportOutdated, TemplatesNotListed
from .models import MessageTemplate, TemplateParameter
from .models.messages import Reason
from .redaction import clean_text, mask_text
from .template_plan import ImportPlan, ParameterChange, TemplateChange, compared
from .transactions import refuse_inside_atomic

PATIENCE = 20.0
"""Seconds after which no further page is asked for."""

QUOTED = 200
"""Characters of the provider's words that a sentence quotes."""


def check_import(account: str = "default") -> ImportPlan:
    """Ask the provider for an account's templates, and tell what importing them would change.

    Writes nothing.

    Raises:
        TemplatesNotListed: the account's backend cannot be asked, or the provider gave no list;
            the text says why.
        ImproperlyConfigured: the account cannot work as it is set.
        TransactionManagementError: inside `atomic()`, which would be held open over the network.
    """
    backend = backend_for(account)
    if not backend.lists_templates:
        raise TemplatesNotListed(
            _("The backend of account “%(account)s” cannot be asked for templates.")
            % {"account": account}
        )
    refuse_inside_atomic("check_import", using=router.db_for_write(MessageTemplate))
    listed = read_list(lambda page: _asked(backend, page), patience=PATIENCE)
    if listed.failed is not None:
        if listed.failed.interrupt is not None:
            raise listed.failed.interrupt
        raise TemplatesNotListed(_why(listed.failed, backend))
    return compared(account, listed)


def import_templates(
    plan: ImportPlan, codes: Collection[str] | None = None
) -> list[MessageTemplate]:
    """Write what a plan would change, in one transaction, and return the templates.

    The next `check_import` has nothing of it to change any more.

    Args:
        plan: as `check_import` returned it.
        codes: which of its `changes` to take over; by default all.

    Raises:
        ImportOutdated: the site's own templates were changed since, so that other changes would be
            made than the plan tells: nothing was written.
        ValueError: the plan changes no template of such a code.
    """
    wanted = [one for one in plan.changes if codes is None or one.code in codes]
    if codes is not None and len(wanted) < len(set(codes)):
        raise ValueError("The plan changes no template of one of these codes.")
    database = router.db_for_write(MessageTemplate)
    try:
        with transaction.atomic(using=database):
            # First a write that changes nothing: whoever else would change one of them waits.
            own = MessageTemplate.objects.using(database).filter(account=plan.account)
            own.update(account=F("account"))
            now = {one.code: one.content for one in compared(plan.account, plan.listed).templates}
            if any(now[change.code] != change.content for change in wanted):
                raise ImportOutdated(_("The site's templates were changed meanwhile."))
            return [_write(change, plan.account, database) for change in wanted]
    except IntegrityError:
        raised = _("A template that was to be added is there already.")
    raise ImportOutdated(raised)


def _write(change: TemplateChange, account: str, database: str) -> MessageTemplate:
    templates = MessageTemplate.objects.using(database)
    if change.is_new:
        template = templates.create(
            code=change.code, account=account, category=change.category, is_active=False
        )
    else:
        template = templates.get(code=change.code, account=account)
    rows = TemplateParameter.objects.using(database).filter(template=template)
    last = rows.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    for parameter in change.parameters:
        if parameter.before is None:
            rows.create(template=template, position=position, **_columns(parameter))
            position += 1
        else:
            rows.filter(name=parameter.after.name).update(**_columns(parameter))
    return template


def _columns(parameter: ParameterChange) -> dict[str, object]:
    return dataclasses.asdict(parameter.after)


def _asked(backend: BaseBackend, page: int) -> TemplatesResult:
    try:
        return backend.get_templates(page)
    # A backend is not meant to raise; its error may show credentials, so its name alone goes on.
    except BaseException as error:  # noqa: BLE001
        stop = comes_from_outside(error)
        return TemplatesResult(
            failure=Failure.INTERRUPTED if stop else Failure.INTERNAL_ERROR,
            failure_detail=type(error).__name__,
            interrupt=bare(error) if stop else None,
        )


def _why(failed: TemplatesResult, backend: BaseBackend) -> str:
    """Return why there is no list, as sentences."""
    account = {"account": backend.account.alias}
    if failed.is_absent:
        return _(
            "The provider has no list of templates for account “%(account)s” (HTTP %(status)d). "
            "Not every account has one: define its templates by hand."
        ) % {**account, "status": failed.http_status}
    if failed.refusal == Refusal.CREDENTIALS:
        sentence = _(
            "The provider does not show account “%(account)s” its templates (HTTP 401): the user "
            "name or the password is wrong, or the account has no such list. Where its messages "
            "are sent, it is the latter: define its templates by hand."
        )
    elif failed.refusal:
        sentence = _(
            "The provider does not let this server's address in for account “%(account)s” "
            "(HTTP 401): ask it to put the address on the account's whitelist."
        )
    else:
        sentence = _("The provider gave no list of templates for account “%(account)s”.")
    secrets = backend.secrets
    quoted = [
        clean_text(mask_text(text, secrets), QUOTED)
        for text in (failed.failure_detail, failed.provider_detail)
        if text
    ]
    told = [sentence % account]
    if failed.failure:
        told.append(str(Reason(failed.failure).label))
    if quoted:
        told.append(f"({'; '.join(quoted)})")
    return " ".join(told)
