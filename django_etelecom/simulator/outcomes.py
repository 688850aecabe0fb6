"""The magic numbers: which recipient brings which outcome, and what that is on the wire.

The words are those of eTelecom's OmniMessage documentation. Where it is silent (the bodies of
401s, what errors of the gateway look like) the simulator gives every form that a client should
be ready for.
"""

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

REDIRECTED_PATH = "/redirected/api/OmniMessage/SendMessage"
"""Where `Outcome.REDIRECT` points; a client that follows leaves a second receipt, on this path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, as it goes onto the wire."""

    body: bytes
    http_status: int = 200
    content_type: str = "application/json; charset=utf-8"
    headers: Sequence[tuple[str, str]] = ()


class Fault(enum.Enum):
    """What the server does to the connection instead of answering."""

    HANG = enum.auto()
    RESET_BEFORE_READING = enum.auto()
    RESET_AFTER_READING = enum.auto()
    TRICKLE = enum.auto()


class Packing(enum.Enum):
    """How the body of an accepted answer is wrapped."""

    PLAIN = enum.auto()
    BEHIND_MEGABYTES = enum.auto()
    GZIP_BOMB = enum.auto()


@dataclass(frozen=True, slots=True)
class Report:
    """What one GetStatusOmni says of a message."""

    status: str
    channel: str = ""
    error_code: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    as_printed: bool = False
    """With the documentation's own fault: the quotes inside `list_param` are not escaped."""


VIETTEL = 3
"""The id of the recipients' network."""

PROCESSING = Report("PROCESSING")
DELIVERED_BY_SMS = Report("SUCCESS", channel="SMS", extra={"mtcount": "1", "telcoid": str(VIETTEL)})
NO_ZALO_ACCOUNT = Report("FAIL", channel="ZNS", error_code="-118")
PRINTED_FAIL = Report("FAIL", channel="ZNS", error_code="-118", as_printed=True)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One report that the gateway posts by itself."""

    report: Report
    step: int = 1
    """How many times `report_seconds` after the acceptance; 0 is before its answer."""
    late: bool = False
    """After `late_report_seconds` instead."""
    forged_id: bool = False
    """About an id that nobody was given."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The message is accepted and gets an id; what becomes of it are the reports, in order."""

    reports: Sequence[Report] = (PROCESSING, DELIVERED_BY_SMS)
    packing: Packing = Packing.PLAIN
    webhooks: Sequence[Webhook] = (Webhook(DELIVERED_BY_SMS),)
    by_clock: bool = False
    """Every `report_seconds` brings the next report; else every status request does."""


def _in_time(*reports: Report) -> Acceptance:
    """Return an acceptance that goes by the clock, each report after the first with a webhook."""
    webhooks = tuple(Webhook(report, step) for step, report in enumerate(reports) if step)
    return Acceptance(reports, webhooks=webhooks, by_clock=True)


def _fails_on_zns(error_code: str) -> Acceptance:
    return _in_time(PROCESSING, Report("FAIL", channel="ZNS", error_code=error_code))


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer of status and code alone; `{name}` in the code stands for what it speaks of."""

    status: str
    code: str

    def answer(self, name: str = "", *, http_status: int = 200) -> Answer:
        """Return it in the documentation's spelling."""
        code = json.dumps(self.code.replace("{name}", name))
        body = f'{{ "status": "{self.status}", "code": {code} }}'
        return Answer(body.encode("ascii"), http_status=http_status)


Effect = Acceptance | Verdict | Answer | Fault


def plain(text: str, http_status: int, *headers: tuple[str, str]) -> Answer:
    """Return an answer of bare text; `text` is ASCII."""
    return Answer(text.encode("ascii"), http_status, "text/plain", headers)


class Outcome(enum.Enum):
    """What becomes of a message to the magic number `+84 90 000 00 NN`; NN is the `ending`.

    Numbers not in this table are accepted and delivered. The gaps are for outcomes to come.
    """

    ACCEPTED = (0, "Accepted; delivered by SMS from the second status request on.", Acceptance())

    REFUSED_PHONE_NUMBER = (
        1,
        "Refused with -1: the phone number is in the wrong format.",
        Verdict("-1", "PhoneNumber Wrong Format"),
    )
    REFUSED_PARAMETER = (
        2,
        "Refused with -2: the message's first parameter is in the wrong format.",
        Verdict("-2", "Wrong Format Parameter: {name}"),
    )
    REFUSED_OUT_OF_MESSAGES = (
        3,
        "Refused with -3: the account has no messages left.",
        Verdict("-3", "You have run out of messages"),
    )
    REFUSED_TEMPLATE = (
        6,
        "Refused with -6: the template is unknown.",
        Verdict("-6", "Can't find template with templatecode: {name} "),
    )
    REFUSED_ROUTE = (
        8,
        "Refused with -8: there is no routing for the request.",
        Verdict("-8", "Can't find any routing for this request"),
    )
    REFUSED_CHANNEL = (
        9,
        "Refused with -9: the route's first channel is not configured.",
        Verdict("-9", "Can't find any information about channel: {name}"),
    )

    ACCEPTED_WITHOUT_ID = (
        10,
        "Accepted, but the answer has no id.",
        Verdict("1", "Success"),
    )
    UNKNOWN_CODE = (
        11,
        "Status -99, which the documentation does not know.",
        Verdict("-99", "Something new"),
    )

    REPORTED_ON_TIME = (
        20,
        "Accepted; delivered by SMS, and the webhook says so at once.",
        _in_time(PROCESSING, DELIVERED_BY_SMS),
    )
    REPORTED_EARLY = (
        21,
        "Accepted; delivered by SMS, and the webhook comes before the answer with the id.",
        Acceptance((DELIVERED_BY_SMS,), webhooks=(Webhook(DELIVERED_BY_SMS, 0),), by_clock=True),
    )
    REPORTED_LATE = (
        22,
        "Accepted; delivered by SMS, and the webhook comes late.",
        Acceptance(webhooks=(Webhook(DELIVERED_BY_SMS, late=True),), by_clock=True),
    )
    REPORTED_TWICE = (
        23,
        "Accepted; delivered by SMS, and the webhook comes twice.",
        Acceptance(
            webhooks=(Webhook(DELIVERED_BY_SMS), Webhook(DELIVERED_BY_SMS, 2)), by_clock=True
        ),
    )
    REPORTED_OUT_OF_ORDER = (
        24,
        "Accepted; failed on ZNS, then delivered by SMS; the webhooks come in the wrong order.",
        Acceptance(
            (PROCESSING, NO_ZALO_ACCOUNT, DELIVERED_BY_SMS),
            webhooks=(
                Webhook(DELIVERED_BY_SMS, 2),
                Webhook(NO_ZALO_ACCOUNT, 3),
                Webhook(PROCESSING, 3),
            ),
            by_clock=True,
        ),
    )
    NEVER_REPORTED = (
        25,
        "Accepted; delivered by SMS, and no webhook comes.",
        Acceptance(webhooks=(), by_clock=True),
    )
    FORGED_REPORT = (
        26,
        "Accepted; failed on ZNS with error -118, but a forged webhook says delivered.",
        Acceptance(
            (PROCESSING, NO_ZALO_ACCOUNT), webhooks=(Webhook(DELIVERED_BY_SMS),), by_clock=True
        ),
    )
    FORGED_ID = (
        27,
        "Accepted; delivered by SMS; before its webhook comes one for an id nobody was given.",
        Acceptance(
            webhooks=(Webhook(DELIVERED_BY_SMS, forged_id=True), Webhook(DELIVERED_BY_SMS)),
            by_clock=True,
        ),
    )

    REDIRECT = (
        37,
        "HTTP 307 to another path of the simulator; following it leaves a second receipt.",
        Answer(b"", http_status=307, headers=(("Location", REDIRECTED_PATH),)),
    )
    UNAUTHORIZED = (
        40,
        "HTTP 401 as bare text: wrong username or password.",
        plain("Unauthorized", 401),
    )
    UNAUTHORIZED_JSON = (
        41,
        "HTTP 401 as JSON: wrong username or password.",
        Verdict("401", "Unauthorized").answer(http_status=401),
    )
    ADDRESS_REFUSED = (
        42,
        "HTTP 401 as bare text: the caller's IP address is not on the whitelist.",
        plain("Can't access from this IP", 401),
    )
    ADDRESS_REFUSED_JSON = (
        43,
        "HTTP 401 as JSON: the caller's IP address is not on the whitelist.",
        Verdict("401", "Can't access from this IP").answer(http_status=401),
    )
    TOO_MANY_REQUESTS = (
        49,
        "HTTP 429 with `Retry-After: 30`.",
        plain("Too Many Requests", 429, ("Retry-After", "30")),
    )
    SERVER_ERROR = (
        50,
        "HTTP 500 with a JSON body.",
        Answer(b'{ "message": "An error has occurred." }', http_status=500),
    )
    BAD_GATEWAY = (
        52,
        "HTTP 502 with an HTML page.",
        Answer(
            b"<html><head><title>502 Bad Gateway</title></head>"
            b"<body><h1>502 Bad Gateway</h1></body></html>",
            http_status=502,
            content_type="text/html",
        ),
    )

    EMPTY_BODY = (60, "HTTP 200 without a body.", Answer(b""))
    BAD_JSON = (
        61,
        "HTTP 200 with JSON that is cut off.",
        Answer(b'{ "status": "1", "code": "Succ'),
    )
    HUGE_BODY = (
        62,
        "Accepted, in a body of 4 MiB.",
        Acceptance(packing=Packing.BEHIND_MEGABYTES),
    )
    GZIP_BOMB = (
        63,
        "Accepted, in some 200 KB of gzip that unpack to 200 MiB.",
        Acceptance(packing=Packing.GZIP_BOMB),
    )

    HANG = (70, "No answer: the connection hangs, then closes.", Fault.HANG)
    RESET_BEFORE_READING = (
        71,
        "The connection is reset as if the request had never been read; there is no receipt.",
        Fault.RESET_BEFORE_READING,
    )
    RESET_AFTER_READING = (
        72,
        "The connection is reset after the request was read.",
        Fault.RESET_AFTER_READING,
    )
    TRICKLE = (73, "HTTP 200 whose body comes a byte a second.", Fault.TRICKLE)

    UNDELIVERED = (
        80,
        "Accepted; from the second status request on: failed on ZNS with error -118.",
        Acceptance((PROCESSING, NO_ZALO_ACCOUNT), webhooks=(Webhook(NO_ZALO_ACCOUNT),)),
    )
    DELIVERED_AFTER_FAILURE = (
        81,
        "Accepted; failed on ZNS with error -118 at first, then delivered by SMS.",
        Acceptance(
            (NO_ZALO_ACCOUNT, DELIVERED_BY_SMS),
            webhooks=(Webhook(NO_ZALO_ACCOUNT), Webhook(DELIVERED_BY_SMS, 2)),
        ),
    )
    NEVER_ENDS = (
        82,
        "Accepted; processing for ever.",
        Acceptance((PROCESSING,), webhooks=()),
    )
    BROKEN_REPORT = (
        83,
        "Accepted; the status is the documentation's own sample: FAIL, in JSON that is not valid.",
        Acceptance((PRINTED_FAIL,), webhooks=(Webhook(PRINTED_FAIL),)),
    )
    SLIDES_TO_SMS = (
        84,
        "Accepted; failed on ZNS with error -118, then delivered by SMS; a webhook for each.",
        _in_time(PROCESSING, NO_ZALO_ACCOUNT, DELIVERED_BY_SMS),
    )
    FAILED_BY_SMS = (
        85,
        "Accepted; failed for good by SMS, with error 21, whose meaning is not published.",
        _in_time(PROCESSING, Report("FAIL", channel="SMS", error_code="21")),
    )
    FAILED_AT_NIGHT = (
        86,
        "Accepted; failed on ZNS with error -133: the template is not allowed at night.",
        _fails_on_zns("-133"),
    )
    FAILED_TOKEN = (
        87,
        "Accepted; failed on ZNS with error -124: the access token is not valid.",
        _fails_on_zns("-124"),
    )
    FAILED_QUOTA = (
        88,
        "Accepted; failed on ZNS with error -144: the daily quota is used up.",
        _fails_on_zns("-144"),
    )
    FAILED_USER_REFUSED = (
        89,
        "Accepted; failed on ZNS with error -139: the recipient has refused such messages.",
        _fails_on_zns("-139"),
    )

    def __init__(self, ending: int, sentence: str, effect: Effect) -> None:
        self.ending = ending
        self.sentence = sentence
        self.effect = effect

    def __repr__(self) -> str:
        return f"Outcome.{self.name}"

    @property
    def phone_number(self) -> str:
        """The recipient as it stands on the wire: `84` and nine digits."""
        return f"849000000{self.ending:02d}"


BY_PHONE_NUMBER = {outcome.phone_number: outcome for outcome in Outcome}


def table() -> str:
    """Return the magic numbers as lines of plain text, each with its sentence."""
    return "\n".join(f"0{outcome.phone_number[2:]}  {outcome.sentence}" for outcome in Outcome)
