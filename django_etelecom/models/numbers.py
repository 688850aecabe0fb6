"""What is known of phone numbers: who must not be sent to, who agreed to it, who had what lately.

A number is found by its keyed digest (`sealing.number_digests`), so that one that was erased is
still known as one not to send to.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .messages import MessageLog

DIGEST_LENGTH = 73
"""Characters of a number's digest."""


class ListedNumber(models.Model):
    """A number, and who said so."""

    number_digest = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    recipient = models.CharField(
        _("number"), max_length=20, blank=True, help_text=_("Empty: it was erased.")
    )
    created_at = models.DateTimeField(_("recorded at"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("recorded by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
    )

    class Meta:
        abstract = True

    @classmethod
    def database(cls) -> str:
        """Return the alias of the database that numbers and their messages are written to."""
        return router.db_for_write(MessageLog)


class Suppression(ListedNumber):
    """A number that must not be sent to."""

    class Reason(models.TextChoices):
        OPT_OUT = "opt_out", _("opted out")
        COMPLAINT = "complaint", _("complained")
        ERASED = "erased", _("had what was held about it erased")
        STAFF = "staff", _("decided by staff")

    class Scope(models.TextChoices):
        ADVERTISING = "advertising", _("advertising")
        EVERYTHING = "everything", _("everything")

    reason = models.CharField(_("reason"), max_length=20, choices=Reason)
    scope = models.CharField(_("no more"), max_length=20, choices=Scope)
    note = models.CharField(_("note"), max_length=255, blank=True)

    class Meta:
        verbose_name = _("suppressed number")
        verbose_name_plural = _("suppression list")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["number_digest", "reason"], name="etelecom_suppression_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.get_reason_display())


class Consent(ListedNumber):
    """What proves that the person behind a number agreed to advertising; never overwritten."""

    source = models.CharField(
        _("source"),
        max_length=255,
        help_text=_("How and where it was given, so that it can be proved."),
    )
    given_at = models.DateTimeField(_("given at"), default=timezone.now)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["number_digest"], name="etelecom_consent_number")]

    def __str__(self) -> str:
        return self.source


class NumberHistory(models.Model):
    """What a number was sent lately, as far as a limit asks for it; a row is its number's lock."""

    number_digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    # By the database's clock.
    touched_at = models.DateTimeField(db_index=True)
    # `turns.Turn`s as JSON.
    turns = models.TextField(default="[]")

    class Meta:
        verbose_name = _("recent messages of a number")
        verbose_name_plural = _("recent messages of numbers")
        default_permissions = ()

    def __str__(self) -> str:
        return self.number_digest[:16]
