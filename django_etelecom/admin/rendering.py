"""Pieces of HTML that several pages of the admin show."""

import re
from collections.abc import Mapping

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from ..kinds import REORDERING
from ..models import Campaign, MessageLog
from ..schema import Wire

_REORDERS = re.compile(f"[{REORDERING}]")


def legible(text: str) -> str:
    """Return JSON, or what was meant to be, with all that reorders text written as escapes."""
    return _REORDERS.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def status_badge(message: MessageLog | Campaign) -> SafeString:
    """Return the status in words, with a class that gives it a colour."""
    return format_html(
        '<span class="etelecom-badge etelecom-{}">{}</span>',
        message.status,
        message.get_status_display(),
    )


def filled_text(text: str, values: Mapping[str, str]) -> SafeString:
    """Return a template's text with each `{name}` of `values` replaced by its value, marked.

    Text and values are escaped; braces around anything else stay.
    """
    marked: dict[str, str] = {
        name: format_html("<mark>{}</mark>", value) for name, value in values.items()
    }
    filled = Wire(marked, names=marked, secret_names=()).render(escape(text), masked=False)
    # Both what is replaced and what takes its place are escaped.
    return format_html(
        '<div class="etelecom-text"><bdi>{}</bdi></div>',
        mark_safe(filled),  # noqa: S308  # nosec B308 B703  # escaped above
    )
