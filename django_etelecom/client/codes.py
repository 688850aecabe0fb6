"""The provider's tables: what its words and numbers mean (eTelecom's OmniMessage documentation)."""

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
