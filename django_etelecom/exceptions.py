"""Every error that calling code may meet, and the map from the provider's refusals to them."""

from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError

from .client.codes import Refusal


class EtelecomError(Exception):
    """Base of everything this app raises, except Django's own `ImproperlyConfigured`."""


class InvalidMessage(EtelecomError, ValidationError):
    """The message could not be built: nothing was written and nothing was sent.

    `message_dict` maps each faulty field to its sentences. Keys: `template`, `to`, `route`,
    `params` (the mapping as a whole), `params.<name>`, and the keyword arguments of the service
    by their own names.
    """

    def __init__(self, faults: Mapping[str, Sequence[str]]) -> None:
        ValidationError.__init__(
            self, {name: list(sentences) for name, sentences in faults.items()}
        )


class SendBlocked(EtelecomError):
    """A guard stopped the message before anything was sent.

    `reason` names the guard's verdict; `retry_after` is in seconds, None where waiting won't help.
    """

    def __init__(self, message: str, *, reason: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class IdempotencyConflict(EtelecomError):
    """The idempotency key was already used for a message, or a campaign, of other content."""


class TemplatesNotListed(EtelecomError):
    """The provider gave no list of an account's templates; the text says why."""


class ImportOutdated(EtelecomError):
    """Templates were changed since an import was planned: nothing of it was written."""


class MessageFailed(EtelecomError):
    """Base of what `message.raise_for_status()` raises; `message` is the row in question."""

    def __init__(self, text: str, *, message: object = None) -> None:
        super().__init__(text)
        self.message = message


class MessageNotSent(MessageFailed):
    """Nothing left this machine: not sent, expired in the queue, or cancelled."""


class OutcomeUnknown(MessageFailed):
    """The message may have been sent; only a report of the provider can tell."""


class MessageUndelivered(MessageFailed):
    """The provider says that the message did not reach the recipient."""


class MessageRejected(MessageFailed):
    """The provider refused the message: nothing went out."""


class AuthenticationFailed(MessageRejected):
    """Username or password are wrong (HTTP 401)."""


class IPNotAllowed(MessageRejected):
    """This machine's address is not on the account's whitelist (HTTP 401)."""


class PhoneNumberRefused(MessageRejected):
    """The provider does not take the phone number (-1)."""


class ParameterRefused(MessageRejected):
    """The provider does not take the form of a parameter (-2)."""


class OutOfMessages(MessageRejected):
    """The account has no messages left (-3)."""


class TemplateNotFound(MessageRejected):
    """The provider does not know the template code (-6)."""


class RouteNotFound(MessageRejected):
    """The provider has no routing for the request and must reconfigure the account (-8)."""


class ChannelNotFound(MessageRejected):
    """A channel of the route is not configured at the provider (-9)."""


REJECTED_BY_REFUSAL: Mapping[Refusal, type[MessageRejected]] = {
    Refusal.CREDENTIALS: AuthenticationFailed,
    Refusal.ADDRESS: IPNotAllowed,
    Refusal.PHONE_NUMBER: PhoneNumberRefused,
    Refusal.PARAMETER: ParameterRefused,
    Refusal.OUT_OF_MESSAGES: OutOfMessages,
    Refusal.TEMPLATE: TemplateNotFound,
    Refusal.ROUTE: RouteNotFound,
    Refusal.CHANNEL: ChannelNotFound,
}
