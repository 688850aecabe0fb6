"""What the simulator keeps of a request that reached it."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Receipt:
    """One POST that reached the simulator, whatever was answered.

    What the request held is kept out of the repr, since passwords and one-time codes are in it.
    """

    number: int
    """Counts from 1, in the order of arrival."""
    path: str
    headers: dict[str, str] = field(repr=False)
    """As sent; of a header that came twice, the last."""
    body: bytes = field(repr=False)
    """Empty if the request was refused for the length of its body."""
    json: dict[str, Any] | None = field(repr=False)
    """The body, where it is a JSON object; keys as sent."""
    received_at: datetime
    """UTC."""
    outcome: Outcome | None
    """None if it was not a SendMessage that the simulator understood."""
    provider_message_id: str
    """The id that was answered, or asked for with success; empty if there was none."""

    @property
    def phone_number(self) -> str:
        return self._text("phonenumber")

    @property
    def template_code(self) -> str:
        return self._text("templatecode")

    @property
    def list_param(self) -> dict[str, Any]:
        value = (self.json or {}).get("list_param")
        return value if isinstance(value, dict) else {}

    def _text(self, name: str) -> str:
        value = (self.json or {}).get(name)
        return value if isinstance(value, str) else ""


def json_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that the body is, or None."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
