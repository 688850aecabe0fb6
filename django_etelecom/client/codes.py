"""The provider's tables: what its words and numbers mean (eTelecom's OmniMessage documentation).

What is not in that documentation, the channels' names, the networks and the errors, is from clients
of it in production use.
"""

import dataclasses
import enum


class Refusal(enum.StrEnum):
    """Why the provider refused a message; every one of them means that nothing went out."""

    CREDENTIALS = "credentials"
    """HTTP 401: wrong username or password."""
    ADDRESS = "address"
    """HTTP 401 `Can't access from this IP`: the caller is not on the account's whitelist."""
    PHONE_NUMBER = "phone_number"
    PARAMETER = "parameter"
    OUT_OF_MESSAGES = "out_of_messages"
    TEMPLATE = "template"
    ROUTE = "route"
    CHANNEL = "channel"


ACCEPTED_STATUS = 1

REFUSAL_BY_STATUS = {
    -1: Refusal.PHONE_NUMBER,
    -2: Refusal.PARAMETER,
    -3: Refusal.OUT_OF_MESSAGES,
    -6: Refusal.TEMPLATE,
    -8: Refusal.ROUTE,
    -9: Refusal.CHANNEL,
}


class Failure(enum.StrEnum):
    """Why a POST brought no answer that we understand; `NoAnswer.sent` says if it may have left."""

    # Before a byte of the request could leave.
    NAME_RESOLUTION = "name_resolution"
    CONNECTION_REFUSED = "connection_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    # After it may have left.
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    NOT_HTTP = "not_http"
    BAD_ANSWER = "bad_answer"
    INTERRUPTED = "interrupted"
    """The process was told to stop in the middle (SystemExit, KeyboardInterrupt, a time limit)."""
    INTERNAL_ERROR = "internal_error"
    """An exception of ours or of a library that the transport does not know."""


class ReportedStatus(enum.StrEnum):
    """What the provider says became of a message, in any case on the wire."""

    SUCCESS = "success"
    FAIL = "fail"
    PROCESSING = "processing"


class ChannelKind(enum.StrEnum):
    """A way to the recipient, by the number that `routerule` has for it."""

    ZNS = "1"
    CALL = "2"
    SMS = "3"


_WORDS_BY_CHANNEL = {
    ChannelKind.ZNS: ("zns", "zalo"),
    ChannelKind.CALL: ("call", "voice"),
    ChannelKind.SMS: ("sms",),
}


def channel_kind(name: str) -> ChannelKind | None:
    """Return which channel the provider names; None where that cannot be told.

    Its names are not settled: `BrandnameSMS` has been seen, the others are matched loosely.
    """
    lowered = name.strip().lower()
    kinds = [
        kind
        for kind, words in _WORDS_BY_CHANNEL.items()
        if lowered == kind or any(word in lowered for word in words)
    ]
    return kinds[0] if len(kinds) == 1 else None


NETWORKS = {
    0: "foreign",
    1: "MobiFone",
    2: "VinaPhone",
    3: "Viettel",
    11: "Gmobile",
    12: "Vietnamobile",
    14: "iTel",
}
"""The networks of this gateway by `telcoid`; other Vietnamese gateways number them otherwise."""


class ErrorGroup(enum.StrEnum):
    """What an error of ZNS is about, and so what helps."""

    RECIPIENT = "recipient"
    CONTENT = "content"
    QUOTA = "quota"
    """A quota or a balance is used up."""
    TIME = "time"
    TEMPLATE = "template"
    """The template or the account that sends it."""
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class ZNSError:
    """What an error code of ZNS says."""

    group: ErrorGroup
    meaning: str = ""
    """A few words; empty where no more than the group is known."""


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogues: whoever shows it translates it. Django is not known here."""
    return text


_ = gettext_noop

ZNS_ERRORS = {
    -100: ZNSError(ErrorGroup.UNKNOWN),
    -108: ZNSError(ErrorGroup.RECIPIENT, _("the phone number is not valid")),
    -109: ZNSError(ErrorGroup.CONTENT),
    -111: ZNSError(ErrorGroup.CONTENT),
    -112: ZNSError(ErrorGroup.CONTENT),
    -114: ZNSError(ErrorGroup.RECIPIENT, _("the recipient cannot receive it")),
    -115: ZNSError(ErrorGroup.QUOTA),
    -117: ZNSError(ErrorGroup.TEMPLATE),
    -118: ZNSError(ErrorGroup.RECIPIENT, _("there is no Zalo account, or it is disabled")),
    -119: ZNSError(ErrorGroup.RECIPIENT),
    -120: ZNSError(ErrorGroup.TEMPLATE),
    -124: ZNSError(ErrorGroup.TEMPLATE, _("the account's token is not valid")),
    -130: ZNSError(ErrorGroup.CONTENT),
    -131: ZNSError(ErrorGroup.CONTENT, _("the template is not approved")),
    -132: ZNSError(ErrorGroup.CONTENT),
    -133: ZNSError(ErrorGroup.TIME, _("the template is not let out from 22:00 to 06:00")),
    -135: ZNSError(ErrorGroup.TEMPLATE),
    -137: ZNSError(ErrorGroup.QUOTA),
    -139: ZNSError(ErrorGroup.RECIPIENT, _("the recipient has refused such messages")),
    -140: ZNSError(ErrorGroup.RECIPIENT),
    -141: ZNSError(ErrorGroup.RECIPIENT, _("the recipient has refused such messages")),
    -144: ZNSError(ErrorGroup.QUOTA, _("the account's quota of the day is used up")),
    -145: ZNSError(ErrorGroup.TEMPLATE),
    -146: ZNSError(ErrorGroup.TEMPLATE, _("the template is disabled for low quality")),
    -147: ZNSError(ErrorGroup.QUOTA, _("the template's quota of the day is used up")),
    -1121: ZNSError(ErrorGroup.CONTENT, _("a parameter is too long")),
    -1122: ZNSError(ErrorGroup.CONTENT, _("a parameter is missing")),
    -1124: ZNSError(ErrorGroup.CONTENT, _("a parameter is in the wrong format")),
    -1351: ZNSError(ErrorGroup.TEMPLATE),
    -1441: ZNSError(ErrorGroup.QUOTA, _("the month's quota of promotions is used up")),
    -1471: ZNSError(ErrorGroup.QUOTA, _("the recipient's quota of the month is used up")),
}
"""Zalo's own codes; those of SMS and AutoCall are not published."""
