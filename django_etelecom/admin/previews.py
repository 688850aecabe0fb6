"""A look at a template: its text with examples, what it names in vain, its length as an SMS.

The page shows it as it is loaded, and a script asks for it anew while a person types: what is told
is computed in one place.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    JsonResponse,
    QueryDict,
)
from django.utils.translation import gettext as _

from ..models import Channel, MessageTemplate, RouteRule
from ..models.routes import channel_names
from ..redaction import clean_text
from ..samples import MAX_EXAMPLE
from ..schema import MAX_NAME_LENGTH, Kind, Parameter, parts
from ..segments import segments
from .advertising import advertising_faults
from .lengths import sms_length, why_short

ROWS = "parameters"
"""What the names of the fields of all rows begin with."""

MAX_TEXT = 10_000
"""Characters of a text that are looked at: no channel carries so many."""

_NAME_FIELD = re.compile(rf"{ROWS}-[0-9]+-(?=name$)")


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What a page tells of a template's text."""

    pieces: list[tuple[str, bool]]
    """The text cut into pieces, each with whether it stands for a parameter's value."""
    differences: list[str]
    """Sentences: where text and parameters name different things."""
    advertising: list[str]
    """Sentences: what it lacks to advertise by."""
    sms: list[str]
    """Sentences: how long it is as an SMS."""


def look_at(
    text: str, parameters: Iterable[Parameter], channels: object, category: str = ""
) -> Look:
    """Look at a template.

    Args:
        text: as registered.
        parameters: of the template.
        channels: of its route, else of the default route; None where there is neither.
        category: of the template.
    """
    # As a browser sends it, and as a script does: an SMS has one character for the end of a line.
    text = text.replace("\r\n", "\n")
    text, cut = text[:MAX_TEXT], "…" if text[MAX_TEXT:] else ""
    by_name = {parameter.name: parameter for parameter in parameters}
    pieces = [
        (by_name[part].example or part, True)
        if is_name and part in by_name
        # A name that is no parameter stays as it stands.
        else (f"{{{part}}}" if is_name else part, False)
        for part, is_name in _named(text)
    ]
    return Look(
        pieces=[piece for piece in [*pieces, (cut, False)] if piece[0]],
        differences=differences(text, by_name),
        advertising=advertising_faults(category, text, channels),
        sms=_sms(text, by_name, pieces, channels),
    )


def differences(text: str, names: Iterable[str]) -> list[str]:
    """Tell where the text and the parameters name different things."""
    if not text:
        return []
    in_text = dict.fromkeys(part for part, is_name in _named(text[:MAX_TEXT]) if is_name)
    names = dict.fromkeys(names)
    undefined = [name for name in in_text if name not in names]
    unused = [name for name in names if name not in in_text]
    sentences = []
    if undefined:
        sentence = _("The text names what is not a parameter: %(names)s.")
        sentences.append(sentence % {"names": ", ".join(undefined)})
    if unused:
        sentence = _("The text does not name these parameters: %(names)s.")
        sentences.append(sentence % {"names": ", ".join(unused)})
    return sentences


def _named(text: str) -> list[tuple[str, bool]]:
    return [(part, place % 2 == 1) for place, part in enumerate(parts(text))]


def _sms(
    text: str, by_name: dict[str, Parameter], pieces: list[tuple[str, bool]], channels: object
) -> list[str]:
    if channels is None:
        return [_("It has no route, and there is no default route: nothing can be sent by it.")]
    if not isinstance(channels, list | tuple) or Channel.SMS not in channels:
        told = _("It does not go by SMS: its route is %(channels)s.")
        return [told % {"channels": channel_names(channels)}]
    filled = "".join(piece for piece, _is_value in pieces)
    told = _("With the examples: %(length)s.") % {"length": sms_length(segments(filled))}
    sentences = [told]
    used = [by_name[part] for part, is_name in _named(text) if is_name and part in by_name]
    if used:
        sentences.append(_at_the_longest(pieces, used))
    if why := why_short(filled):
        sentences.append(why)
    sentences.append(
        _("This is an estimate for when it goes by SMS; what is paid is what the provider counts.")
    )
    return sentences


def _at_the_longest(pieces: list[tuple[str, bool]], used: list[Parameter]) -> str:
    # What their forms leave of them is ASCII, but for these.
    is_free = any(parameter.kind in (Kind.TEXT, Kind.URL) for parameter in used)
    counted = segments(
        "".join(piece for piece, is_value in pieces if not is_value),
        places=sum(parameter.limit for parameter in used),
        is_unicode=is_free,
    )
    told = (
        _("With every value at its longest, in Vietnamese letters: %(length)s.")
        if is_free
        else _("With every value at its longest: %(length)s.")
    )
    return told % {"length": sms_length(counted)}


# --- What is stored, and what was typed ----------------------------------------------------------


def stored_look(template: MessageTemplate | None) -> Look:
    """Look at a template as it is stored; None: there is none yet."""
    if template is None or not template.text:
        return Look([], [], [], [])
    channels = channels_of(template.route)
    return look_at(template.text, stored_parameters(template), channels, template.category)


def stored_parameters(template: MessageTemplate) -> list[Parameter]:
    """Return the parameters of a template as they are stored."""
    return [
        Parameter(
            name=stored.name,
            kind=_kind(stored.kind),
            max_length=stored.max_length,
            example=stored.example,
        )
        for stored in template.parameters.all()
    ]


def typed_look(posted: QueryDict, stored: Iterable[Parameter] = ()) -> Look:
    """Look at a template as it stands in its form, faulty as that may be.

    Args:
        posted: what the browser sent.
        stored: parameters that were not sent, for the person may not change them.
    """
    chosen = posted.get("route", "")
    route = (
        RouteRule.objects.filter(pk=chosen).first() if re.fullmatch("[0-9]{1,18}", chosen) else None
    )
    parameters = [*stored, *typed_parameters(posted)]
    category = posted.get("category", "")
    return look_at(posted.get("text", ""), parameters, channels_of(route), category)


def typed_parameters(posted: QueryDict) -> list[Parameter]:
    """Return the rows of a form that have a name and are not to be deleted."""
    rows = [field[: found.end()] for field in posted if (found := _NAME_FIELD.match(field))]
    typed = [_typed_parameter(posted, row) for row in rows if f"{row}DELETE" not in posted]
    return [parameter for parameter in typed if parameter.name]


def _typed_parameter(posted: QueryDict, row: str) -> Parameter:
    name, kind, longest, example = (
        str(posted.get(row + field, "")) for field in ("name", "kind", "max_length", "example")
    )
    return Parameter(
        name=clean_text(name.strip(), MAX_NAME_LENGTH),
        kind=_kind(kind),
        max_length=int(longest) if re.fullmatch("[0-9]{1,9}", longest) else None,
        example=example[:MAX_EXAMPLE],
    )


def _kind(value: str) -> Kind:
    return Kind(value) if value in Kind.values else Kind.TEXT


def channels_of(route: RouteRule | None) -> Any:
    """Return the channels of a template's route; of None those of the default, if there is one."""
    if route is not None:
        return route.channels
    default = RouteRule.objects.filter(is_default=True)
    return default.values_list("channels", flat=True).first()


# --- What the script asks for --------------------------------------------------------------------


def preview_view(model_admin: admin.ModelAdmin[Any]) -> Callable[..., HttpResponseBase]:
    """Return the view that looks at a form as it is typed, for those who may fill it in."""

    def view(request: HttpRequest, pk: int | None = None) -> HttpResponseBase:
        template = None if pk is None else model_admin.get_object(request, str(pk))
        may = (
            model_admin.has_add_permission(request)
            if pk is None
            else model_admin.has_change_permission(request, template)
        )
        if not may:
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if pk is not None and template is None:
            raise Http404(_("There is no such template."))
        look = typed_look(request.POST, unposted_parameters(model_admin, request, template))
        return JsonResponse(dataclasses.asdict(look))

    return model_admin.admin_site.admin_view(view)


def unposted_parameters(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, template: MessageTemplate | None
) -> list[Parameter]:
    """Return the parameters that the form of this person does not send, only shows."""
    if template is None:
        return []
    inlines = model_admin.get_inline_instances(request, template)
    if any(inline.has_change_permission(request, template) for inline in inlines):
        return []
    return stored_parameters(template)
