"""Rows of a template's form drawn up from a pasted sample; nothing is saved by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, count
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..samples import MAX_SAMPLE, draw_up
from ..schema import Parameter
from .forms import admin_form
from .previews import ROWS

DRAW_UP = "_draw_up"
"""The name of the button."""
SAMPLE = "sample"

TYPED_IN = ("position", "name", "max_length", "example", "pattern")
"""Fields of a row of which one is filled in where a person has begun to fill it in."""


class SampleField(forms.CharField):
    """Takes what was pasted as it is; what is too long does not go back into the page."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        return "" if len(data or "") > MAX_SAMPLE else data

    def clean(self, value: Any) -> list[Parameter]:
        return draw_up(value or "")


class SampleForm(forms.Form):
    """Asks for a sample of `list_param`; valid, it has the parameters that are drawn up from it."""

    sample = SampleField(
        label=gettext_lazy("Sample"),
        required=False,
        help_text=gettext_lazy(
            "Paste a list_param that this template takes, as JSON. Its names become rows of "
            "parameters below, with kinds guessed from the values. Those that are there already "
            "stay as they are. Nothing is saved until you save."
        ),
        widget=forms.Textarea(
            {
                "class": "vLargeTextField etelecom-sample",
                "rows": 4,
                "placeholder": '{"customer_name": "An", "amount": "150000"}',
                "spellcheck": "false",
                "autocomplete": "off",
            }
        ),
    )

    @property
    def in_admin(self) -> AdminForm:
        """The form as the admin's own template of a fieldset takes it."""
        title = _("Draw up parameters from a sample")
        return admin_form(self, [(title, {"fields": [SAMPLE]})])


def is_asked_for(request: HttpRequest) -> bool:
    """Whether a person has pasted a sample: by whatever button they send it, it is drawn up."""
    return request.method == "POST" and (
        DRAW_UP in request.POST or bool(request.POST.get(SAMPLE, "").strip())
    )


def is_under_way(request: HttpRequest) -> bool:
    """Whether the form of this request is to be shown again and neither judged nor saved."""
    return request.method == "POST" and DRAW_UP in request.POST


def drawn_up(posted: QueryDict, parameters: Iterable[Parameter]) -> QueryDict:
    """Return what was posted with these parameters in the first rows that are free, then in new.

    Without the sample: an error reporter adds the form to whatever fails later.
    """
    filled = posted.copy()
    filled.pop(SAMPLE, None)
    filled[DRAW_UP] = filled["_continue"] = "on"
    first, total = _number(posted, "INITIAL_FORMS"), _number(posted, "TOTAL_FORMS")
    free = (row for row in range(first, total) if _is_free(posted, row))
    for parameter, row in zip(parameters, chain(free, count(total)), strict=False):
        typed = {
            "name": parameter.name,
            "kind": str(parameter.kind),
            "required": "on",
            "secret": "on" if parameter.secret else "",
            "max_length": str(parameter.max_length or ""),
            "example": parameter.example,
        }
        for field, value in typed.items():
            filled[f"{ROWS}-{row}-{field}"] = value
        total = max(total, row + 1)
    filled[f"{ROWS}-TOTAL_FORMS"] = str(total)
    return filled


def tell(request: HttpRequest, sampled: Sequence[Parameter], names: Sequence[str]) -> None:
    """Say what was drawn up.

    Args:
        request: whose person is told.
        sampled: the parameters that the sample has.
        names: of the parameters that were there before.
    """
    in_sample = [parameter.name for parameter in sampled]
    if added := [name for name in in_sample if name not in names]:
        sentence = _("Drawn up, and not saved yet: %(names)s. Look at each row, then save.")
        messages.info(request, sentence % {"names": ", ".join(added)})
    else:
        messages.info(request, _("Every name of the sample is a parameter already."))
    if missing := [name for name in names if name not in in_sample]:
        sentence = _("Not in the sample, and kept as they are: %(names)s.")
        messages.warning(request, sentence % {"names": ", ".join(missing)})


def _number(posted: QueryDict, name: str) -> int:
    typed = posted.get(f"{ROWS}-{name}", "")
    return int(typed) if re.fullmatch("[0-9]{1,4}", typed) else 0


def _is_free(posted: QueryDict, row: int) -> bool:
    return not any(posted.get(f"{ROWS}-{row}-{field}", "").strip() for field in TYPED_IN)
