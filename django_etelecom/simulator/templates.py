"""GetTemplate: the templates that the simulated gateway has registered.

Source: clients of it in production use; eTelecom's documentation does not have it.
"""

import json
from collections.abc import Mapping
from typing import Any

from .outcomes import Answer

TEMPLATE_PATH = "/api/TemplateOmni/GetTemplate"

NO_TEMPLATES = "no-templates"
"""The user name of an account that has no such list: HTTP 404."""

Templates = Mapping[str, Mapping[str, tuple[str, str]]]
"""By code and by a parameter's name: the provider's type and regular expression."""

SENDERS = {"1": "Simulated OA", "2": "19001234", "3": "SIMULATOR"}

SAMPLE: Templates = {
    "order_confirmation": {"order_code": ("code", "^DH-[0-9]+$"), "note": ("text", "")},
    "login_otp": {"otp": ("otp", "^[0-9]{4,8}$")},
}
"""What it has where nothing else is said: the templates that the documentation sends by."""


def template_answer(templates: Templates, fields: Mapping[str, Any]) -> Answer:
    """Return the page that was asked for; an odd number is that of the first page."""
    page, size = (_whole(fields.get(name)) for name in ("Page", "ItemCount"))
    wanted = fields.get("TemplateCode") or ""
    listed = [code for code in templates if wanted in ("", code)]
    shown = listed[(page - 1) * size : page * size]
    body = {
        "Page": page,
        "TotalItem": len(listed),
        "ListTemp": [
            {
                "TemplateCode": code,
                "SenderChannel": SENDERS,
                "ParamsFormat": {
                    name: {"Regex": pattern, "Type": kind}
                    for name, (kind, pattern) in templates[code].items()
                },
            }
            for code in shown
        ],
    }
    return Answer(json.dumps(body).encode())


def _whole(number: object) -> int:
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number <= 1000:
        return number
    return 1
