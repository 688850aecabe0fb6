"""What a browser keeps between the check of a message and its confirmation."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import Any

from ..client.opaque import Opaque
from ..sealing import SealBroken, seal, unseal

PURPOSE = "admin send"

CONFIRM_WITHIN = 15 * 60
"""Seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedMessage:
    """What a person has checked and may confirm."""

    template: str
    """The template's code."""
    account: str
    typed: Opaque[dict[str, str]]
    """What the fields of the form held."""
    secret: list[str]
    """Which of those fields held a secret."""
    shown: str
    """What the page of the check showed, secrets masked."""
    resend_of: str = ""
    """Public id of the message that this one repeats; empty: none."""
    taken_over: list[str] = dataclasses.field(default_factory=list)
    """Which of the fields hold what that message said, rather than what was typed."""
    nonce: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def sealed_for(self, user: Any) -> str:
        return seal(
            json.dumps(
                {
                    "user": str(user.pk),
                    "nonce": self.nonce,
                    "template": self.template,
                    "account": self.account,
                    "typed": self.typed.reveal(),
                    "secret": self.secret,
                    "shown": self.shown,
                    "resend_of": self.resend_of,
                    "taken_over": self.taken_over,
                }
            ),
            purpose=PURPOSE,
        )

    @classmethod
    def opened_by(cls, user: Any, token: str) -> CheckedMessage:
        """Return the message sealed in `token`.

        Raises:
            SealBroken: it was not sealed here, not for this user, or too long ago.
        """
        opened = json.loads(unseal(token, purpose=PURPOSE, max_age=CONFIRM_WITHIN))
        if opened["user"] != str(user.pk):
            raise SealBroken("The sealed message is another person's.")
        return cls(
            template=opened["template"],
            account=opened["account"],
            typed=Opaque(opened["typed"]),
            secret=opened["secret"],
            shown=opened["shown"],
            resend_of=opened["resend_of"],
            taken_over=opened.get("taken_over", []),
            nonce=opened["nonce"],
        )

    @property
    def again(self) -> Opaque[dict[str, str]]:
        """What was typed, secrets included, as the form took it."""
        typed = self.typed.reveal().items()
        return Opaque({name: value for name, value in typed if name not in self.taken_over})

    @property
    def refill(self) -> dict[str, str]:
        """What goes back into the form: what was typed but the secrets, and nothing taken over."""
        return {
            name: value for name, value in self.again.reveal().items() if name not in self.secret
        }
