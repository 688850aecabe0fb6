"""A backend whose answers the tests choose."""

from collections.abc import Callable
from typing import ClassVar

from django_etelecom.backends.base import BaseBackend, Outgoing
from django_etelecom.client.protocol import Outcome, SendResult


def accepted(outgoing: Outgoing) -> SendResult:
    return SendResult(
        outcome=Outcome.ACCEPTED,
        provider_message_id="ICOMNI1",
        provider_status="1",
        provider_detail="Success",
        http_status=200,
        payload={"status": "1"},
    )


class ScriptedBackend(BaseBackend):
    answer: ClassVar[Callable[[Outgoing], SendResult]]
    sent: ClassVar[list[Outgoing]]

    @classmethod
    def reset(cls) -> None:
        cls.answer = staticmethod(accepted)
        cls.sent = []

    def send_message(self, outgoing: Outgoing) -> SendResult:
        self.sent.append(outgoing)
        return type(self).answer(outgoing)
