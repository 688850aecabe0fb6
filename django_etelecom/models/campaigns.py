"""One template to many numbers: the campaign, the rows of it that need a look, and its counts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import models, router
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..redaction import clean_text
from .messages import MessageLog, Status
from .templates import MessageTemplate


class Campaign(models.Model):
    """Many messages of one template, which staff start, pause and cancel together.

    Its messages can be claimed only while it is `running`. `status` moves by the conditional
    updates of `campaigns.py` alone.
    """

    class Status(models.TextChoices):
        MATCHING = "matching", _("columns to be matched")
        LOADING = "loading", _("loading")
        CHECKING = "checking", _("to be confirmed")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    is_replay = False
    """As a message's: whether the call that returned this row met its idempotency key."""

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=200, blank=True)
    template = models.ForeignKey(
        MessageTemplate,
        verbose_name=_("template"),
        on_delete=models.PROTECT,
        related_name="campaigns",
    )
    template_code = models.CharField(_("template code"), max_length=100)
    account = models.CharField(_("account"), max_length=50)
    channels = models.JSONField(_("channels"), default=list)
    requested_route = models.CharField(
        _("requested route"), max_length=100, blank=True, help_text=_("Empty: the template's own.")
    )
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.LOADING)
    broke_off = models.BooleanField(
        _("broke off"), default=False, help_text=_("Its rows could not be read to their end.")
    )
    # Whether any of its rows was written while its template had a secret.
    has_secrets = models.BooleanField(default=False, editable=False)

    read_rows = models.PositiveIntegerField(_("rows read"), default=0)
    queued_rows = models.PositiveIntegerField(
        _("messages"), default=0, help_text=_("Rows that became a message.")
    )
    faulty_rows = models.PositiveIntegerField(
        _("faulty rows"), default=0, help_text=_("Rows that became none.")
    )
    repeated_rows = models.PositiveIntegerField(
        _("repeated numbers"), default=0, help_text=_("Messages to a number that has one already.")
    )

    sms_parts = models.PositiveIntegerField(
        _("paid messages by SMS"),
        default=0,
        help_text=_("What its messages would count as if all of them went by SMS."),
    )
    # Of an upload: its header, and which of it holds the number and each parameter.
    sheet_columns = models.JSONField(default=list, editable=False)
    columns = models.JSONField(default=dict, editable=False)
    # Of one that a program asked for: nobody confirms it, and asked for again it is the same one.
    # The key as a message's; the content is what was asked for, as a keyed hash.
    starts_itself = models.BooleanField(default=False, editable=False)
    idempotency_digest = models.CharField(  # noqa: DJ001
        max_length=64, null=True, editable=False, unique=True
    )
    content_digest = models.CharField(max_length=64, blank=True, editable=False)

    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("sent by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    send_at = models.DateTimeField(_("send at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    started_at = models.DateTimeField(
        _("started at"), null=True, blank=True, help_text=_("The last time.")
    )
    ran_for = models.DurationField(
        default=timedelta(0), editable=False, help_text=_("Before it was started the last time.")
    )
    finished_at = models.DateTimeField(
        _("finished at"),
        null=True,
        blank=True,
        help_text=_("When the last of its messages was settled, sent or cancelled."),
    )
    # By the database's clock: while it loads the process that loads it is taken for dead after the
    # first; the second is when what is left of it is not worth sending any more.
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-pk"]
        get_latest_by = "pk"
        default_permissions = ("view",)
        permissions = [("send_campaign", _("Can send campaigns"))]
        indexes = [models.Index(fields=["finished_at"], name="etelecom_campaign_open")]

    def __str__(self) -> str:
        name = self.name or f"{self.template_code} {self.created_at:%Y-%m-%d}"
        return clean_text(name, 250)

    @classmethod
    def database(cls) -> str:
        """Return the alias of the database that campaigns and their messages are written to."""
        return router.db_for_write(MessageLog)

    @classmethod
    def of_key(cls, digest: str) -> Campaign | None:
        """Return the campaign that has taken an idempotency key, given by its `key_digest`."""
        return cls.objects.using(cls.database()).filter(idempotency_digest=digest).first()

    def counts(self) -> dict[str, int]:
        """Return how many of its messages have come to each status, those under way left out."""
        return self.counts_of([self])[self.pk]

    @classmethod
    def counts_of(cls, campaigns: Sequence[Campaign]) -> dict[int, dict[str, int]]:
        """Return the `counts` of several campaigns by their keys."""
        tallies = CampaignTally.objects.using(cls.database()).filter(campaign__in=campaigns)
        sums = tallies.order_by().values_list("campaign", "status").annotate(Sum("number"))
        counts: dict[int, dict[str, int]] = {campaign.pk: {} for campaign in campaigns}
        for pk, status, number in sums:
            if number:
                counts[pk][status] = number
        return counts


class CampaignTally(models.Model):
    """How many messages of a campaign have come to a status, or left it again.

    The sum counts. A move of messages appends a row in its own transaction, so that no two of them
    wait for each other; the worker melts the rows of a campaign down to one a status.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="tallies")
    status = models.CharField(max_length=20, choices=Status)
    number = models.IntegerField()

    class Meta:
        verbose_name = _("tally of a campaign")
        verbose_name_plural = _("tallies of campaigns")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.status} {self.number:+}"


class CampaignPart(models.Model):
    """Some rows of an upload that are not loaded yet, encrypted; deleted when they are."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="parts")
    sealed_rows = models.TextField()

    class Meta:
        verbose_name = _("part of an upload")
        verbose_name_plural = _("parts of uploads")
        ordering = ["pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)


class CampaignRow(models.Model):
    """A row of a campaign that a person should look at: it is faulty, or repeats a number.

    The row itself is encrypted: it may hold secrets, and it is kept only to be mended.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField(
        _("row"), help_text=_("As a person counts them in what was uploaded.")
    )
    is_queued = models.BooleanField(
        _("queued"), default=False, help_text=_("It became a message all the same.")
    )
    faults = models.JSONField(_("faults"), default=dict)
    sealed_values = models.TextField(editable=False)

    class Meta:
        verbose_name = _("row of a campaign")
        verbose_name_plural = _("rows of campaigns")
        ordering = ["pk"]
        default_permissions = ()
        # The rows of a kind are read a page at a time, by key.
        indexes = [
            models.Index(fields=["campaign", "is_queued", "id"], name="etelecom_campaign_rows")
        ]

    def __str__(self) -> str:
        return str(self.number)
