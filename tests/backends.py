"""Backends whose answers the tests choose."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import ClassVar

from django_etelecom.backends.base import BaseBackend, Outgoing
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report, StatusResult
from django_etelecom.client.templates import TemplatesResult


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


def answering(result: StatusResult) -> staticmethod:
    """Give every question the same answer."""
    return staticmethod(lambda provider_message_id: result)


class AskableBackend(ScriptedBackend):
    """Accepts each message under an id of its own, and can be asked what became of it."""

    status: ClassVar[Callable[[str], StatusResult]]
    asked: ClassVar[list[str]]
    _numbers: ClassVar[itertools.count]

    @classmethod
    def reset(cls) -> None:
        super().reset()
        cls.asked = []
        cls._numbers = itertools.count(1)
        cls.tell("processing")

    @classmethod
    def tell(cls, word: str, **fields: object) -> None:
        """Answer every question with this word of the provider's."""
        report = Report(
            status=ReportedStatus(word),
            provider_status=word.upper(),
            **fields,  # type: ignore[arg-type]
        )
        cls.status = answering(StatusResult(report=report, http_status=200, payload=fields))

    def send_message(self, outgoing: Outgoing) -> SendResult:
        number = next(self._numbers)
        result = super().send_message(outgoing)
        return dataclasses.replace(result, provider_message_id=f"ICOMNI{number}")

    def get_status(self, provider_message_id: str) -> StatusResult:
        self.asked.append(provider_message_id)
        return type(self).status(provider_message_id)


class ListingBackend(ScriptedBackend):
    """Can be asked for the account's templates: `page(number)` is the answer."""

    page: ClassVar[Callable[[int], TemplatesResult]]

    def get_templates(self, page: int) -> TemplatesResult:
        return type(self).page(page)
