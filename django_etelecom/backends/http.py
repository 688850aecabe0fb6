"""Sends through eTelecom's gateway."""

import dataclasses
from typing import Protocol

from django.core.exceptions import ImproperlyConfigured

from ..client import protocol
from ..client.codes import Failure
from ..client.interrupts import finished
from ..client.opaque import Opaque
from ..client.status import StatusResult, get_status_body
from ..client.templates import TemplatesResult, get_template_body
from ..client.transport import (
    NoAnswer,
    Response,
    Transport,
    check_url,
    send_result,
    status_result,
    templates_result,
)
from ..conf import Account
from .base import BaseBackend, Outgoing


class Posting(Protocol):
    """What every transport can do."""

    def post(self, url: str, body: Opaque[bytes]) -> Response | NoAnswer: ...
    def close(self) -> None: ...


class HTTPBackend(BaseBackend):
    """One POST a message to the account's BASE_URL."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        if not account.username.reveal() or not account.password.reveal():
            raise ImproperlyConfigured(
                f"Account '{account.alias}' in ETELECOM['ACCOUNTS'] lacks USERNAME or PASSWORD."
            )
        self._send_url = protocol.endpoint(account.base_url, protocol.SEND_MESSAGE)
        try:
            check_url(self._send_url)
        except ValueError as error:
            raise ImproperlyConfigured(f"BASE_URL of account '{account.alias}': {error}") from None
        self._status_url = protocol.endpoint(account.base_url, protocol.GET_STATUS)
        self._templates_url = protocol.endpoint(account.base_url, protocol.GET_TEMPLATE)
        self._transport = self._make_transport()

    def send_message(self, outgoing: Outgoing) -> protocol.SendResult:
        body, interrupt = finished(lambda: self._body(outgoing))
        if interrupt is not None:
            detail = type(interrupt).__name__
            return send_result(NoAnswer(Failure.INTERRUPTED, False, detail, interrupt))
        answer = self._transport.post(self._send_url, body)
        result, interrupt = finished(lambda: send_result(answer))
        return dataclasses.replace(result, interrupt=interrupt) if interrupt else result

    def get_status(self, provider_message_id: str) -> StatusResult:
        body = get_status_body(
            username=self.account.username,
            password=self.account.password,
            provider_message_id=provider_message_id,
        )
        return status_result(self._transport.post(self._status_url, body))

    def get_templates(self, page: int) -> TemplatesResult:
        body = get_template_body(
            username=self.account.username, password=self.account.password, page=page
        )
        return templates_result(self._transport.post(self._templates_url, body))

    def _body(self, outgoing: Outgoing) -> Opaque[bytes]:
        return protocol.send_message_body(
            username=self.account.username,
            password=self.account.password,
            phone_number=outgoing.recipient,
            channels=outgoing.channels,
            template_code=outgoing.template_code,
            list_param=Opaque(outgoing.wire.reveal()),
            base_url=self.account.base_url,
            routerule_format=self.account.routerule_format,
        )

    def _make_transport(self) -> Posting:
        return Transport(
            connect_timeout=self.account.connect_timeout,
            timeout=self.account.timeout,
            keep_alive=self.account.keep_alive,
        )

    def close(self) -> None:
        self._transport.close()
