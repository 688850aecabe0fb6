"""One row a message, and one row for everything that was ever said about it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..client.codes import Failure, Refusal
from ..exceptions import (
    REJECTED_BY_REFUSAL,
    MessageFailed,
    MessageNotSent,
    MessageRejected,
    MessageUndelivered,
    OutcomeUnknown,
)
from .templates import MessageTemplate


class Status(models.TextChoices):
    """Where a message is."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    ACCEPTED = "accepted", _("accepted")
    DELIVERED = "delivered", _("delivered")
    UNDELIVERED = "undelivered", _("undelivered")
    REJECTED = "rejected", _("rejected")
    UNKNOWN = "unknown", _("unknown")
    NOT_SENT = "not_sent", _("not sent")
    CANCELLED = "cancelled", _("cancelled")


class Reason(models.TextChoices):
    """Why a message is rejected, unknown or not sent."""

    # The provider refused it.
    CREDENTIALS = (
        Refusal.CREDENTIALS,
        _("The provider refused the account's user name or password."),
    )
    ADDRESS = Refusal.ADDRESS, _("The provider does not let this server's address in.")
    PHONE_NUMBER = Refusal.PHONE_NUMBER, _("The provider does not take this phone number.")
    PARAMETER = Refusal.PARAMETER, _("The provider does not take the form of a parameter.")
    OUT_OF_MESSAGES = Refusal.OUT_OF_MESSAGES, _("The account has no messages left.")
    TEMPLATE = Refusal.TEMPLATE, _("The provider does not know this template code.")
    ROUTE = Refusal.ROUTE, _("The provider has no routing for this request.")
    CHANNEL = Refusal.CHANNEL, _("A channel of the route is not set up at the provider.")
    # No connection: nothing left.
    NAME_RESOLUTION = Failure.NAME_RESOLUTION, _("The provider's host name could not be resolved.")
    CONNECTION_REFUSED = (
        Failure.CONNECTION_REFUSED,
        _("The provider's server refused the connection."),
    )
    CONNECT_TIMEOUT = (
        Failure.CONNECT_TIMEOUT,
        _("The provider's server could not be reached in time."),
    )
    CONNECT_FAILED = Failure.CONNECT_FAILED, _("The provider's server could not be reached.")
    TLS_FAILED = Failure.TLS_FAILED, _("No secure connection to the provider could be made.")
    # The request may have left.
    TIMEOUT = Failure.TIMEOUT, _("The provider did not answer in time.")
    CONNECTION_LOST = Failure.CONNECTION_LOST, _("The connection broke before the answer came.")
    NOT_HTTP = Failure.NOT_HTTP, _("What came back was not an HTTP answer.")
    BAD_ANSWER = Failure.BAD_ANSWER, _("The provider's answer could not be understood.")
    INTERRUPTED = Failure.INTERRUPTED, _("The sending process was told to stop in the middle.")
    INTERNAL_ERROR = Failure.INTERNAL_ERROR, _("An unexpected error came up while sending.")
    # What happened on our side.
    LAPSED = "lapsed", _("The sending process ended without recording what became of it.")
    NEVER_CLAIMED = "never_claimed", _("The sending process ended before it began to send.")
    EXPIRED = "expired", _("It was not worth sending any more when its turn came.")
    UNKNOWN_RUN = "unknown_run", _("The outcome of too many messages in a row is unknown.")
    SEAL_BROKEN = "seal_broken", _("Its secret parameters cannot be opened by today's keys.")
    AMBIGUOUS = "ambiguous", _("Another message has the same id of the provider's.")
    # A guard stopped it.
    SUPPRESSED = "suppressed", _("The number is on the suppression list.")
    NO_CONSENT = "no_consent", _("No consent to advertising is on record for the number.")
    RECIPIENT_LIMIT = "recipient_limit", _("The number had as many messages as it may have.")


class Source(models.TextChoices):
    """Which way the provider's word came."""

    SEND = "send", pgettext_lazy("source", "sending")
    POLL = "poll", _("status query")
    WEBHOOK = "webhook", _("delivery report")


class MessageLog(models.Model):
    """One message: what was to be sent to whom, and what is known to have become of it.

    Rows are written by the services alone. `status` moves only by the conditional updates of
    `lifecycle.py` and the fold of `events.py`.
    """

    Status = Status
    Reason = Reason
    Source = Source

    is_replay = False
    """Whether the call that returned this row met its idempotency key, and wrote and sent nothing.

    Not stored: only the row that such a call returns has it.
    """

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    # Its index is `etelecom_message_template`.
    template = models.ForeignKey(
        MessageTemplate,
        verbose_name=_("template"),
        db_index=False,
        on_delete=models.PROTECT,
        related_name="messages",
    )
    template_code = models.CharField(_("template code"), max_length=100)
    account = models.CharField(_("account"), max_length=50)
    recipient = models.CharField(_("recipient"), max_length=20)
    params = models.JSONField(
        _("parameters"), default=dict, help_text=_("As they went over the wire, secrets masked.")
    )
    # The secret ones of a message that waits for a worker, encrypted; empty once it was dispatched.
    sealed_params = models.TextField(blank=True, editable=False)
    channels = models.JSONField(_("channels"), default=list)
    requested_route = models.CharField(
        _("requested route"), max_length=100, blank=True, help_text=_("Empty: the template's own.")
    )

    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.QUEUED)
    reason = models.CharField(_("reason"), max_length=30, choices=Reason, blank=True)
    status_source = models.CharField(
        _("told by"),
        max_length=10,
        choices=Source,
        blank=True,
        help_text=_("Which way the status came; empty: the provider said nothing yet."),
    )
    provider_message_id = models.CharField(_("provider's id"), max_length=100, blank=True)
    provider_status = models.CharField(_("provider's status"), max_length=50, blank=True)
    provider_detail = models.CharField(_("provider's words"), max_length=500, blank=True)
    channel = models.CharField(
        _("channel"), max_length=50, blank=True, help_text=_("As the provider names it.")
    )
    error_code = models.CharField(_("error code"), max_length=50, blank=True)
    network = models.CharField(
        _("network"), max_length=20, blank=True, help_text=_("The provider's number of it.")
    )
    paid_messages = models.PositiveIntegerField(_("paid messages"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("sent by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    resend_of = models.ForeignKey(
        "self",
        verbose_name=_("resend of"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="resends",
    )
    # Its index is `etelecom_message_queue`.
    campaign = models.ForeignKey(
        "etelecom.Campaign",
        verbose_name=_("campaign"),
        null=True,
        blank=True,
        db_index=False,
        on_delete=models.PROTECT,
        related_name="messages",
    )
    campaign_row = models.PositiveIntegerField(
        _("row"), null=True, blank=True, help_text=_("Of the campaign.")
    )
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    # SHA-256 of the caller's key: MariaDB would fold its case. NULL where there was none.
    idempotency_digest = models.CharField(max_length=64, null=True, editable=False)  # noqa: DJ001
    content_digest = models.CharField(max_length=64, editable=False)

    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    sent_at = models.DateTimeField(
        _("sent at"), null=True, blank=True, help_text=_("When the last attempt began.")
    )
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)
    send_at = models.DateTimeField(
        _("send at"),
        null=True,
        blank=True,
        help_text=_("Of a queued message: when a worker may take it."),
    )
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    # Both by the database's clock. While a message is queued, sending or asked after, the process
    # that owns the row is taken for dead after the first, and one that waits for a worker is not
    # worth sending any more; the second is when the worker asks the provider what became of it,
    # NULL: not any more.
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    next_poll_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = pgettext_lazy("the log", "messages")
        ordering = ["-pk"]
        get_latest_by = "pk"
        default_permissions = ("view",)
        permissions = [
            ("send_message", _("Can send messages")),
            ("resend_message", _("Can send messages again")),
            ("view_recipient", _("Can see whole phone numbers")),
            ("export_messages", _("Can export messages")),
            ("export_number", _("Can export all that is held about a number")),
            ("erase_number", _("Can erase what is held about a number")),
        ]
        # Not `db_index`, by which PostgreSQL keeps a second index for LIKE that nothing asks.
        indexes = [
            models.Index(fields=["recipient", "campaign"], name="etelecom_message_recipient"),
            models.Index(fields=["provider_message_id"], name="etelecom_message_provider_id"),
            models.Index(fields=["status", "lease_expires_at"], name="etelecom_message_lease"),
            models.Index(fields=["next_poll_at"], name="etelecom_message_poll"),
            models.Index(
                fields=["campaign", "status", "account", "send_at"], name="etelecom_message_queue"
            ),
            # What the list in the admin filters by, newest first.
            models.Index(fields=["status", "id"], name="etelecom_message_status"),
            models.Index(fields=["template", "id"], name="etelecom_message_template"),
            models.Index(fields=["campaign", "id"], name="etelecom_message_campaign"),
            models.Index(fields=["created_at"], name="etelecom_message_created"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "idempotency_digest"], name="etelecom_message_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @classmethod
    def database(cls) -> str:
        """Return the alias of the database that messages are written to."""
        return router.db_for_write(cls)

    @classmethod
    def of_key(cls, account: str, digest: str) -> MessageLog | None:
        """Return the message that has taken an idempotency key, given by its `key_digest`."""
        rows = cls.objects.using(cls.database())
        return rows.filter(account=account, idempotency_digest=digest).first()

    @property
    def is_stripped(self) -> bool:
        """Whether what was personal about it has been erased (`stripping.py`)."""
        return not self.recipient

    def forget_expressions(self) -> None:
        """Defer the columns that the database computed, so that reading one fetches it."""
        for name, value in list(vars(self).items()):
            if hasattr(value, "resolve_expression"):
                del vars(self)[name]

    def raise_for_status(self) -> None:
        """Do nothing while the message is under way or has arrived; else raise what went wrong.

        Raises:
            MessageRejected: the provider refused it; a subclass for each known refusal.
            MessageNotSent: nothing left this machine, or it was cancelled.
            OutcomeUnknown: it may have been sent.
            MessageUndelivered: the provider says that it did not arrive.
        """
        error = self._error_class()
        if error is not None:
            words = self.provider_detail or self.get_reason_display()
            raise error(f"Message {self.public_id} is {self.status}: {words}", message=self)

    def _error_class(self) -> type[MessageFailed] | None:
        match self.status:
            case Status.REJECTED:
                refusals = {str(refusal): error for refusal, error in REJECTED_BY_REFUSAL.items()}
                return refusals.get(self.reason, MessageRejected)
            case Status.NOT_SENT | Status.CANCELLED:
                return MessageNotSent
            case Status.UNKNOWN:
                return OutcomeUnknown
            case Status.UNDELIVERED:
                return MessageUndelivered
        return None


class MessageEvent(models.Model):
    """One answer or report of the provider, or the lack of one, as it came; never changed."""

    Source = Source

    message = models.ForeignKey(
        MessageLog, verbose_name=_("message"), on_delete=models.CASCADE, related_name="events"
    )
    source = models.CharField(_("source"), max_length=10, choices=Source)
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=Status,
        blank=True,
        help_text=_("What it says of the message; empty where it could not be understood."),
    )
    reason = models.CharField(_("reason"), max_length=30, choices=Reason, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    provider_status = models.CharField(_("provider's status"), max_length=50, blank=True)
    provider_detail = models.CharField(_("provider's words"), max_length=500, blank=True)
    channel = models.CharField(_("channel"), max_length=50, blank=True)
    error_code = models.CharField(_("error code"), max_length=50, blank=True)
    failure_detail = models.CharField(_("technical detail"), max_length=255, blank=True)
    payload = models.TextField(
        _("payload"), blank=True, help_text=_("As it came, secrets masked, cut where it is long.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.get_status_display() or self.provider_status}"


class InboxReport(models.Model):
    """A delivery report whose id no message has yet: it was quicker than our own commit, or forged.

    The table is bounded in number (`reports.INBOX_SIZE`) and age (`reports.INBOX_AGE`).
    """

    provider_message_id = models.CharField(max_length=100)
    status = models.CharField(max_length=20, blank=True)
    provider_status = models.CharField(max_length=50, blank=True)
    channel = models.CharField(max_length=50, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    network = models.CharField(max_length=20, blank=True)
    paid_messages = models.PositiveIntegerField(null=True)
    payload = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("unmatched report")
        verbose_name_plural = _("unmatched reports")
        ordering = ["pk"]
        default_permissions = ()
        indexes = [models.Index(fields=["provider_message_id"], name="etelecom_inbox_provider_id")]

    def __str__(self) -> str:
        return self.provider_message_id


class ReportedMessage(models.Model):
    """A message that ended, as an unconfirmed report says: the worker asks about it at once.

    Apart from the message's own row, of which every index would be written anew by each report.
    """

    # Without a constraint: keeping a report is to cost one look-up of the message, and the worker
    # passes over what is gone.
    message = models.OneToOneField(
        MessageLog,
        on_delete=models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="+",
    )

    class Meta:
        verbose_name = _("reported message")
        verbose_name_plural = _("reported messages")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)
