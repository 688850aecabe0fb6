"""The header `Idempotency-Key`: a request that is made twice sends one message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from ..models import MessageLog
from .faults import Conflict

LONGEST_KEY, LONGEST_NAME = 128, 100
"""Characters, of a key and of its user's name before it."""

_KEY = re.compile(rf"[!-~]{{1,{LONGEST_KEY}}}")


def idempotency_key(request: Any) -> str | None:
    """Return the key that a request carries, as no other user's can be; None: it carries none.

    Raises:
        ValidationError: it cannot be a key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise _fault(
            _("Give 1 to %(most)d printable ASCII characters and no spaces.")
            % {"most": LONGEST_KEY}
        )
    if request.user.pk is None:
        raise _fault(_("Keys are for those who are logged in."))
    return f"api:{_name(request.user.pk)}:{key}"


def _name(pk: object) -> str:
    # A primary key may be text, have a colon of its own, and be longer than a key can be.
    name = quote(str(pk), safe="")
    return name if len(name) <= LONGEST_NAME else f"={sha256(name.encode()).hexdigest()}"


def check_replay(
    message: MessageLog, body: Mapping[str, Any], *, resend_of: MessageLog | None = None
) -> None:
    """Check that a row which was there already is what this request asks for.

    The service has compared template, recipient, values and route. The rest is compared here, as
    far as the row still has it.

    Raises:
        Conflict: the key was used for something else.
    """
    if not message.is_replay:
        return
    expires_at, send_at = body.get("expires_at"), body.get("send_at")
    is_same = (
        message.resend_of_id == (resend_of.pk if resend_of else None)
        and (message.send_at is not None) == is_to_be_queued(body)
        and (message.is_stripped or message.metadata == (body.get("metadata") or {}))
        and expires_at in (None, message.expires_at)
        # It is put off where the hours are closed, and by a worker that tries again.
        and (send_at is None or message.send_at is None or send_at <= message.send_at)
    )
    if not is_same:
        raise Conflict(
            _("This idempotency key was already used for another request (%(id)s).")
            % {"id": message.public_id}
        )


def is_to_be_queued(body: Mapping[str, Any]) -> bool:
    """Whether a body asks for its message to be left to a worker."""
    return bool(body.get("queue")) or body.get("send_at") is not None


def _fault(sentence: str) -> ValidationError:
    return ValidationError({"idempotency_key": [sentence]})
