"""What a site tells of itself, log lines and error reports, without secrets and phone numbers.

`LogFilter` is for `LOGGING`, `before_send` for Sentry. Neither raises, and neither drops anything.
"""

import html
import json
import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus, urlsplit

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.urls import get_script_prefix, resolve

from .conf import settings
from .phone import mask_numbers
from .redaction import MASK, base64_spellings

Event = TypeVar("Event")

SHORTEST_SECRET = 6
"""Characters. To mask every `demo` of a log would tell the password and little else."""

LAYERS = 2
"""Escapes around a secret that are seen through: JSON within a URL, say."""

VALUES = frozenset(
    {
        *("params", "listparam", "values", "typed", "wire"),
        *("otp", "otpcode", "onetimecode", "onetimepassword", "passcode", "pin"),
    }
)
"""Names, folded, of variables and fields that hold values of parameters."""

FIELD_OF_A_VALUE = "params."
"""How the names of such fields of a form begin."""

_NAMED = frozenset({"vars", "data", "extra"})
"""Where an event of Sentry's has variables and fields by their names."""

_KEPT = (
    *("event_id", "type", "timestamp", "start_timestamp", "level", "platform", "logger"),
    *("server_name", "environment", "release", "dist"),
)
"""What is left of an event that could not be looked through."""

_WEBHOOK = re.compile(r"((?:/|%2[Ff])webhooks(?:/|%2[Ff]))[A-Za-z0-9_-]{16,}")

_WORD = re.compile(r"\w")

_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime"}
_RENDERED = {"exc_text", "stack_info"}


# --- Text -----------------------------------------------------------------------------------------


def mask(text: str) -> str:
    """Return the text with the site's own secrets and every phone number masked.

    The secrets are the credentials of all accounts, their WEBHOOK_SECRET, WEBHOOK_TOKENS,
    ENCRYPTION_KEYS and SECRET_KEY, plain or as in JSON, Python, HTML, URLs, hexadecimal and base64;
    also whatever stands in a URL of the webhook where its token does.
    """
    # Nothing of these, and no number, is shorter.
    if len(text) < SHORTEST_SECRET:
        return text
    text = _mask_secrets_of_site(text)
    if "webhooks" in text:
        text = _WEBHOOK.sub(rf"\1{MASK}", text)
    return mask_numbers(text)


def _mask_secrets_of_site(text: str) -> str:
    global _masker
    if _masker is None:
        if not django_settings.configured:
            return text
        _masker = _masker_of(*_secrets_of_site())
    return _masker(text)


_masker: Callable[[str], str] | None = None
"""Made once; a running site's settings do not change."""


def _forget_secrets(**_: object) -> None:
    """Follow `override_settings`."""
    global _masker
    _masker = None


setting_changed.connect(_forget_secrets, dispatch_uid="django_etelecom.masking")


def _secrets_of_site() -> tuple[list[str], list[str]]:
    """Return what is secret, and the user names, of whatever form the settings are."""
    secrets: list[object] = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    names: list[object] = []
    raw = settings.unchecked
    for key in ("WEBHOOK_TOKENS", "ENCRYPTION_KEYS"):
        several = raw.get(key)
        secrets += several if isinstance(several, list | tuple) else ()
    for account in map(_mapping, _mapping(raw.get("ACCOUNTS")).values()):
        secrets += (account.get("PASSWORD"), account.get("WEBHOOK_SECRET"))
        names.append(account.get("USERNAME"))
    return list(_long_enough(secrets)), list(_long_enough(names))


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _long_enough(secrets: list[object]) -> Iterator[str]:
    for secret in secrets:
        text = secret.decode("latin-1") if isinstance(secret, bytes) else secret
        if isinstance(text, str) and len(text) >= SHORTEST_SECRET:
            yield text


def _masker_of(secrets: Collection[str], names: Collection[str]) -> Callable[[str], str]:
    """Return what masks these secrets in a text, however they are spelled.

    A user name may be a word of every day: it counts where it is no part of another.
    """
    spellings: set[str] = set()
    for secret in (*secrets, *names):
        octets = secret.encode("utf-8", "surrogatepass").hex()
        spellings |= _escaped(secret) | base64_spellings(secret) | {octets, octets.upper()}
    # The longest first: one may be the beginning of another.
    longest_first = sorted(spellings, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    words = set(names).difference(secrets)

    def masked(match: re.Match[str]) -> str:
        around = match.string[match.start() - 1 : match.start()], match.string[match.end() :][:1]
        is_part = any(_WORD.match(beside) for beside in around)
        return match[0] if match[0] in words and is_part else MASK

    def mask_secrets(text: str) -> str:
        # Much quicker than to have the pattern look.
        for spelling in longest_first:
            if spelling in text:
                return pattern.sub(masked, text)
        return text

    return mask_secrets


def _escaped(secret: str) -> set[str]:
    spellings = layer = {secret}
    for _layer in range(LAYERS):
        layer = {spelling for text in layer for spelling in _escaped_once(text)} - spellings
        spellings = spellings | layer
    return spellings


def _escaped_once(text: str) -> Iterator[str]:
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield html.escape(text)
    for quoted in (
        quote(text, safe="", errors="replace"),
        quote(text, errors="replace"),
        quote_plus(text, errors="replace"),
    ):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), quoted)


def _masked_value(value: Any, *, named: bool = False, whole: bool = False) -> Any:
    """Return a value as it may be told: the very same where there is nothing to mask in it.

    Args:
        value: text, numbers, or mappings and sequences of them. Anything else is not looked into.
        named: mask also what stands under the name of a parameter's values.
        whole: mask all of it.
    """
    if isinstance(value, Mapping):
        members = [
            (
                _masked_value(name),
                _masked_value(
                    member,
                    named=named or name in _NAMED,
                    whole=whole or (named and _holds_values(name)),
                ),
            )
            for name, member in value.items()
        ]
        told = zip(members, value.items(), strict=True)
        if all(new[0] is old[0] and new[1] is old[1] for new, old in told):
            return value
        return dict(members)
    if isinstance(value, list | tuple):
        items = [_masked_value(item, named=named, whole=whole) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value)
        shown = MASK if whole else mask(text)
        return value if shown == text else shown
    return value


def _holds_values(name: object) -> bool:
    folded = str(name).lower().replace("_", "")
    return folded in VALUES or folded.startswith(FIELD_OF_A_VALUE)


# --- Logging --------------------------------------------------------------------------------------


class LogFilter(logging.Filter):
    """Masks the site's own secrets and every phone number in each record, and lets it pass.

    In the message, its arguments, tracebacks whatever renders them, and `extra`. A request of the
    webhook is taken away. It belongs on handlers: a filter of a logger sees nothing of the loggers
    below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            _mask_record(record)
        # Logging must not break what is logged, whatever hangs on a record.
        except Exception as error:  # noqa: BLE001
            record.msg = "A log record was left out, which could not be masked (%s)."
            record.args = (type(error).__name__,)
            record.exc_info = record.exc_text = record.stack_info = None
            for name in set(vars(record)) - _OF_EVERY_RECORD:
                delattr(record, name)
        return True


def _mask_record(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    # The handler would say so, and print message and arguments as they are.
    except Exception:  # noqa: BLE001
        message = f"{record.msg!r} % {record.args!r}"
    masked = mask(message)
    if masked != message or _masked_value(record.args) is not record.args:
        record.msg, record.args = masked, None
    if _is_of_webhook(getattr(record, "request", None)):
        _take_request_away(record)
    if record.exc_info and record.exc_info[1] is not None:
        error = cast(BaseException, _masked_error(record.exc_info[1], {}))
        record.exc_info = (type(error), error, record.exc_info[2])
    for name, value in list(vars(record).items()):
        if name in _RENDERED or name not in _OF_EVERY_RECORD:
            setattr(record, name, _masked_value(value))


def _is_of_webhook(request: object) -> bool:
    path = str(getattr(request, "path", ""))
    # On a site that chooses its URLs by the host, the path alone may lead to no view.
    return "webhooks" in path and (_is_ours(path) or _mask_secrets_of_site(path) != path)


def _take_request_away(record: logging.LogRecord) -> None:
    """Leave neither a record's request nor what shows it to Django's mails to the admins.

    So it is where a report fails before it comes to the webhook. A mail in HTML has the variables
    of each frame, and the request is among them: the frames are left as text.
    """
    record.request = None
    if record.exc_info:
        record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
        record.exc_info = None


def _masked_error(
    error: BaseException | None, known: dict[int, BaseException | None]
) -> BaseException | None:
    """Return an error that shows nothing secret: the very same where it shows nothing.

    Else one of the same name and with the same frames, for whatever renders it. Those that lead in
    a circle are cut: None stands for one that is not done yet.
    """
    if error is None or id(error) in known:
        return error and known[id(error)]
    known[id(error)] = None
    known[id(error)] = masked = _masked_anew(error, known)
    return masked


def _masked_anew(error: BaseException, known: dict[int, BaseException | None]) -> BaseException:
    text, notes = _text_of(error), getattr(error, "__notes__", ())
    masked, masked_notes = mask(text), _masked_value(notes)
    cause = _masked_error(error.__cause__, known)
    context = _masked_error(error.__context__, known)
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    masked_inner = [cast(BaseException, _masked_error(one, known)) for one in inner]
    if (
        masked == text
        and masked_notes is notes
        and cause is error.__cause__
        and context is error.__context__
        and all(new is old for new, old in zip(masked_inner, inner, strict=True))
    ):
        return error
    shown = _stand_in(error, masked, masked_inner)
    shown.__cause__, shown.__context__ = cause, context
    shown.__suppress_context__ = error.__suppress_context__
    for note in masked_notes:
        shown.add_note(note)
    return shown.with_traceback(error.__traceback__)


def _stand_in(error: BaseException, text: str, inner: Sequence[BaseException]) -> BaseException:
    """Return an error that looks like another one but for its text."""
    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    looks = {**names, "__str__": lambda _self: text}
    if inner:
        group: BaseException = type(kind.__name__, (BaseExceptionGroup,), looks)(text, inner)
        return group
    single: BaseException = type(kind.__name__, (Exception,), looks)()
    return single


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    # So a traceback says it.
    except Exception:  # noqa: BLE001
        return "<exception str() failed>"


# --- Sentry ---------------------------------------------------------------------------------------


def before_send(event: Event, hint: object = None) -> Event:
    """Return an event of Sentry's without secrets, values of parameters and phone numbers.

    For `sentry_sdk.init(before_send=…, before_send_transaction=…)`, and for every other of its
    hooks that takes something and a hint. What could not be looked through is left out; the event
    itself never is.

    Args:
        event: as Sentry gives it: mappings, sequences, text and numbers.
        hint: what Sentry gives with it; not looked at.
    """
    if not isinstance(event, Mapping):
        return event
    try:
        return cast(Event, _masked_event(event))
    except Exception as error:  # noqa: BLE001
        kept = {
            name: event[name] for name in _KEPT if isinstance(event.get(name), str | int | float)
        }
        told = f"The rest could not be masked ({type(error).__name__}) and was left out."
        return cast(Event, {**kept, "logentry": {"message": told, "formatted": told}})


def _masked_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    request = event.get("request")
    if isinstance(request, Mapping) and request.get("data") and _is_ours(request.get("url")):
        posted = _masked_value(request["data"], whole=True)
        event = {**event, "request": {**request, "data": posted}}
    masked: Mapping[str, Any] = _masked_value(event)
    return masked


def _is_ours(url: object) -> bool:
    """Tell whether a URL of this site leads to a view of this app."""
    try:
        path = urlsplit(str(url)).path
        match = resolve(f"/{path.removeprefix(get_script_prefix())}")
    # It is no URL, there is no such page, or no site.
    except Exception:  # noqa: BLE001
        return False
    named = (*match.namespaces, match.url_name or "", getattr(match.func, "__module__", ""))
    return any(name.startswith(("etelecom", "django_etelecom")) for name in named)
