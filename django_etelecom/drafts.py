"""A message checked in all its parts and not yet written: the form in which guards see it."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from . import phone
from .accounts import backend_for
from .backends.base import BaseBackend, Outgoing
from .client.opaque import Opaque, shielded
from .client.protocol import route_rule
from .conf import Account, settings
from .exceptions import InvalidMessage
from .models import MessageLog, MessageTemplate, RouteRule
from .models.routes import validate_channels
from .models.templates import TemplatePlan
from .redaction import clean_text
from .schema import Wire
from .sealing import digest, digest_matches, key_digest
from .users import present_user_pk, user_pk

T = TypeVar("T")

CONTENT = "message content"
"""The purpose of the keyed digest by which two messages are told to be the same."""

MAX_METADATA = 16 * 1024
"""Characters of JSON."""

MAX_DEPTH = 20
"""Levels of nesting in metadata; MariaDB takes 31 and refuses more with an error."""

LATELY = timedelta(days=1)
"""How long ago a message may have been to be sent; one of longer ago has a wrong date."""

QUOTED = 40
"""How much of a faulty value a sentence quotes, in characters."""


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """What is to be sent to whom, by whom; everything about it has been found good."""

    template: TemplatePlan
    recipient: str
    """Wire form."""
    channels: tuple[str, ...]
    requested_route: str
    """Name of the route asked for with this message; empty: the template's own."""
    wire: Wire
    backend: BaseBackend
    idempotency_digest: str | None
    sender_pk: Any
    """Of the user who sends; None: nobody is on record."""
    send_at: datetime | None
    """When a worker may send it; None: at once."""
    expires_at: datetime | None
    """None: as the category of the template has it."""
    metadata: dict[str, Any]
    late: dict[str, list[str]]
    """Why it is not to be sent any more, by field; what it says was good once. By its idempotency
    key it may be the repeat of one that was in time."""

    @property
    def account(self) -> Account:
        return self.backend.account

    def text(self) -> str:
        """Return the template's text with the values in their places, secrets masked."""
        return self.wire.render(self.template.text)

    def body(self) -> dict[str, Any]:
        """Return what goes over the wire, without credentials and with secrets masked."""
        account = self.backend.account
        return {
            "phonenumber": self.recipient,
            "routerule": route_rule(
                self.channels, base_url=account.base_url, form=account.routerule_format
            ),
            "templatecode": self.template.code,
            "list_param": self.wire.masked(),
        }

    def outgoing(self, message: MessageLog) -> Outgoing:
        """Return what a backend takes to send `message`, the row made of this draft."""
        return Outgoing(
            public_id=message.public_id,
            template_code=self.template.code,
            recipient=self.recipient,
            channels=self.channels,
            wire=self.wire,
        )

    def content_digest(self) -> str:
        return shielded(lambda: digest(CONTENT, *self._content()))

    def is_content_of(self, message: MessageLog) -> bool:
        """Tell whether `message` says the same to the same number by the same route."""
        return shielded(lambda: digest_matches(message.content_digest, CONTENT, *self._content()))

    def _content(self) -> list[str]:
        values = [part for item in sorted(self.wire.reveal().items()) for part in item]
        return [self.template.code, self.recipient, self.requested_route, *values]


def prepare(
    template: object,
    to: object,
    params: Opaque[Any],
    *,
    route: object = None,
    idempotency_key: object = None,
    sent_by: object = None,
    send_at: object = None,
    expires_at: object = None,
    metadata: object = None,
) -> Draft:
    """Check a message and return it as a draft. Reads the database, writes nothing.

    What has an idempotency key and is only too late comes back with its faults, as `late`.

    Raises:
        InvalidMessage: with every fault at once, keyed by field.
        ImproperlyConfigured: the template's account cannot work as it is set, or what becomes of
            the message could not be recorded.
    """
    settings.check_recording()
    faults: dict[str, list[str]] = {}
    late: dict[str, list[str]] = {}
    plan = _collect(faults, lambda: _plan(template))
    _collect(late, lambda: _check_active(plan))
    recipient = _collect(faults, lambda: phone.normalize(to))
    chosen = _collect(faults, lambda: _route(route, plan))
    # Without the template nothing can be said of them.
    wire = _collect(faults, lambda: _wire(plan, params)) if plan else None
    digest_of_key = _collect(faults, lambda: idempotency_digest(idempotency_key))
    # That it is there still is told when its row is written, which costs no query.
    sender_pk = _collect(faults, lambda: user_pk("sent_by", sent_by))
    start = _collect(faults, lambda: _instant("send_at", send_at))
    expires = _collect(faults, lambda: _instant("expires_at", expires_at))
    _collect(late, lambda: _check_start(start))
    _collect(late, lambda: _check_expiry(expires, after=start))
    kept = _collect(faults, lambda: _metadata(metadata))
    if late and digest_of_key is None:
        raise InvalidMessage(late | faults)
    if faults or plan is None or recipient is None or chosen is None or wire is None:
        raise InvalidMessage(late | faults)
    return Draft(
        template=plan,
        recipient=recipient,
        requested_route=chosen[0],
        channels=chosen[1],
        wire=wire,
        backend=backend_for(plan.account),
        idempotency_digest=digest_of_key,
        sender_pk=sender_pk,
        send_at=start,
        expires_at=expires,
        metadata=kept or {},
        late=late,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Mold:
    """What the messages of a campaign have in common; it has been found good."""

    template: TemplatePlan
    channels: tuple[str, ...]
    requested_route: str
    """As a draft's."""
    sender_pk: Any
    send_at: datetime | None

    def cast(self, row: Opaque[Any]) -> tuple[str, Wire]:
        """Return recipient and values of one message, in wire form.

        Args:
            row: a mapping of `to` and the parameters by name.

        Raises:
            InvalidMessage: with every fault at once, keyed as `prepare` does.
        """
        return shielded(lambda: self._cast(row.reveal()))

    def _cast(self, row: object) -> tuple[str, Wire]:
        if not isinstance(row, Mapping):
            sentence = _("A row is a mapping of names to values, not %(type)s.")
            raise _fault("row", sentence % {"type": type(row).__name__})
        faults: dict[str, list[str]] = {}
        recipient = _collect(faults, lambda: phone.normalize(row.get("to", "")))
        params = {name: value for name, value in row.items() if name != "to"}
        wire = _collect(faults, lambda: self.template.schema.bind(params))
        if recipient is None or wire is None:
            raise InvalidMessage(faults)
        return recipient, wire


def prepare_many(
    template: object, *, route: object = None, sent_by: object = None, send_at: object = None
) -> Mold:
    """Check what the messages of a campaign have in common. Reads the database, writes nothing.

    Raises:
        InvalidMessage, ImproperlyConfigured: as `prepare`.
    """
    settings.check_recording()
    faults: dict[str, list[str]] = {}
    plan = _collect(faults, lambda: _plan(template))
    _collect(faults, lambda: _check_active(plan))
    _collect(faults, lambda: _check_column(plan))
    chosen = _collect(faults, lambda: _route(route, plan))
    sender_pk = _collect(faults, lambda: present_user_pk("sent_by", sent_by))
    start = _collect(faults, lambda: _instant("send_at", send_at))
    _collect(faults, lambda: _check_start(start))
    if faults or plan is None or chosen is None:
        raise InvalidMessage(faults)
    backend_for(plan.account)
    return Mold(plan, chosen[1], chosen[0], sender_pk, start)


def _collect(faults: dict[str, list[str]], check: Callable[[], T]) -> T | None:
    try:
        return check()
    except InvalidMessage as error:
        faults.update(error.message_dict)
        return None


def _fault(field: str, sentence: str) -> InvalidMessage:
    return InvalidMessage({field: [sentence]})


def _plan(template: object) -> TemplatePlan:
    if isinstance(template, MessageTemplate):
        code, lookup = template.code, Q(pk=template.pk)
    elif isinstance(template, str):
        code, lookup = template, Q(code=template)
    else:
        raise _fault("template", _("Give the template's code or a MessageTemplate."))
    is_askable = _is_storable(code, 100) and isinstance(getattr(template, "pk", 0), int)
    plan = MessageTemplate.objects.plan(lookup) if is_askable else None
    # MariaDB finds `abc` for `ABC`.
    if plan is None or (isinstance(template, str) and plan.code != code):
        sentence = _("There is no template with the code “%(code)s”.")
        raise _fault("template", sentence % {"code": _quoted(code)})
    return plan


def _check_active(plan: TemplatePlan | None) -> None:
    if plan is not None and not plan.is_active:
        raise _fault("template", _("The template “%(code)s” is not active.") % {"code": plan.code})


def _check_column(plan: TemplatePlan | None) -> None:
    if plan is not None and "to" in plan.schema.names:
        sentence = _(
            "A row has its recipient under “to”, so a campaign cannot give the parameter “to” of "
            "“%(code)s”: send its messages one by one."
        )
        raise _fault("template", sentence % {"code": plan.code})


def _route(route: object, plan: TemplatePlan | None) -> tuple[str, tuple[str, ...]]:
    """Return the name of the route that was asked for, "" where none was, and its channels."""
    if route is None or route == "":
        if plan is None:
            return "", ()  # The fault is the template's.
        if not plan.channels:
            raise _fault(
                "route",
                _(
                    "The template has no route and there is no default route: "
                    "set one, or name a route with the message."
                ),
            )
        return "", _channels(plan.channels)
    rule: RouteRule | None
    if isinstance(route, RouteRule):
        # As it is stored: whoever has it may have changed it, or somebody else have deleted it.
        name = route.name
        rule = RouteRule.objects.filter(pk=route.pk).first() if isinstance(route.pk, int) else None
    elif isinstance(route, str):
        name = route
        rule = RouteRule.objects.filter(name=name).first() if _is_storable(name, 100) else None
    else:
        raise _fault("route", _("Give the name of a route or a RouteRule."))
    if rule is None or rule.name != name or not _is_storable(name, 100):
        sentence = _("There is no route with the name “%(name)s”.")
        raise _fault("route", sentence % {"name": _quoted(name)})
    return name, _channels(rule.channels)


def _quoted(name: str) -> str:
    # What was given in the place of a name may be the recipient.
    return phone.mask_numbers(clean_text(name, QUOTED))


def _channels(channels: Any) -> tuple[str, ...]:
    """Check channels once more: a script may have stored them past the validation."""
    try:
        validate_channels(list(channels) if isinstance(channels, list | tuple) else channels)
    except ValidationError as error:
        raise InvalidMessage({"route": error.messages}) from None
    return tuple(channels)


def _is_storable(text: object, limit: int) -> bool:
    """Tell whether it is text that a database could hold; asking some for it raises where not."""
    return isinstance(text, str) and 0 < len(text) <= limit and clean_text(text, limit) == text


def _wire(plan: TemplatePlan, params: Opaque[Any]) -> Wire:
    return plan.schema.bind({} if params.reveal() is None else params.reveal())


def idempotency_digest(key: object) -> str | None:
    """Return the hash under which an idempotency key is kept; None where there is no key.

    Raises:
        InvalidMessage: it is no text of 1 to 255 characters.
    """
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= 255:
        raise _fault("idempotency_key", _("Give text of 1 to 255 characters."))
    return key_digest(key)


def _instant(field: str, instant: object) -> datetime | None:
    if instant is None:
        return None
    if not isinstance(instant, datetime) or timezone.is_naive(instant):
        raise _fault(field, _("Give a datetime with a time zone."))
    # At either end of the calendar instants cannot be shown in every time zone.
    if instant.year > timezone.now().year + 1:
        raise _fault(field, _("This is too far away: give at most the end of next year."))
    return instant


def _check_start(start: datetime | None) -> None:
    # What passed lately is sent at once.
    if start is not None and start < timezone.now() - LATELY:
        raise _fault("send_at", _("This has passed."))


def _check_expiry(expires: datetime | None, *, after: datetime | None) -> None:
    if expires is not None and expires <= timezone.now():
        raise _fault("expires_at", _("This has passed."))
    if expires is not None and after is not None and expires <= after:
        raise _fault("expires_at", _("This is before it is to be sent."))


def _metadata(metadata: object) -> dict[str, Any]:
    if metadata is None:
        return {}
    text = None
    if isinstance(metadata, Mapping):
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            # Encoding refuses lone surrogates, which no database takes.
            text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False).encode().decode()
    # PostgreSQL refuses NUL in jsonb, escaped or not.
    if text is None or "\\u0000" in text:
        raise _fault("metadata", _("Give a mapping that can be stored as JSON."))
    if len(text) > MAX_METADATA:
        sentence = _("At most %(limit)d characters of JSON.")
        raise _fault("metadata", sentence % {"limit": MAX_METADATA})
    checked: dict[str, Any] = json.loads(text)
    if not _is_shallow(checked, MAX_DEPTH):
        sentence = _("At most %(limit)d levels of nesting.")
        raise _fault("metadata", sentence % {"limit": MAX_DEPTH})
    return checked


def _is_shallow(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_is_shallow(member, levels - 1) for member in value)
