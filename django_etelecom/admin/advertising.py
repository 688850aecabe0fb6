"""What is missing where a template advertises: its label, and guards that the site has off."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from ..conf import settings
from ..guard_rules import GuardRules
from ..models import Channel, MessageTemplate
from ..verdicts import LABELS, is_labelled


def advertising_faults(category: str, text: str, channels: object) -> list[str]:
    """Tell what a template lacks to advertise by, in sentences.

    Args:
        category: of the template; any but advertising lacks nothing.
        text: as registered.
        channels: of its route.
    """
    if category != MessageTemplate.Category.ADVERTISING:
        return []
    route = [str(one) for one in channels] if isinstance(channels, list | tuple) else []
    try:
        rules = settings.guards(category)
    except ImproperlyConfigured:
        return []  # A system check tells of it.
    sentences = []
    if not is_labelled(text, route):
        sentence = (
            _("An advertisement begins with %(label)s: nothing is sent by this template.")
            if rules.label
            else _("An advertisement begins with %(label)s (Decree 91/2020/ND-CP, article 18).")
        )
        sentences.append(sentence % {"label": LABELS[0]})
    if off := _off(rules, route):
        sentence = _(
            "This site's settings have guards of advertising off (ETELECOM['GUARDS']): %(guards)s. "
            "Decree 91/2020/ND-CP asks for them."
        )
        sentences.append(sentence % {"guards": ", ".join(off)})
    return sentences


def _off(rules: GuardRules, route: Sequence[str]) -> list[str]:
    paid = [one for one in (Channel.SMS.value, Channel.CALL.value) if one in route]
    on = {
        "SUPPRESSION": rules.suppression,
        "CONSENT": rules.consent,
        "LABEL": rules.label,
        "HOURS": all(one in rules.hours for one in paid),
        "LIMITS": bool(rules.limits) or not paid,
    }
    return [name for name, is_on in on.items() if not is_on]
