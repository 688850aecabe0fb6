"""What is known of an account that its settings cannot say."""

from __future__ import annotations

from django.db import models, router
from django.utils.translation import gettext_lazy as _

from ..redaction import clean_text
from .messages import Reason


class AccountState(models.Model):
    """Whether an account is paused, and how far its sending slots are given away.

    A row appears when there is something to say; an account without one works. Only workers write
    it, never a caller's transaction: the row would be a lock that all of them wait for.
    """

    alias = models.CharField(
        _("account"), max_length=50, unique=True, help_text=_("As ETELECOM['ACCOUNTS'] names it.")
    )
    paused_at = models.DateTimeField(_("paused at"), null=True, editable=False)
    pause_reason = models.CharField(
        _("reason"), max_length=30, choices=Reason, blank=True, editable=False
    )
    unknown_in_a_row = models.PositiveIntegerField(
        _("unknown outcomes in a row"), default=0, editable=False
    )
    # By the database's clock: when the next message of MAX_PER_SECOND may start.
    next_slot_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["alias"]
        # To change is to resume.
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return clean_text(self.alias, 100)

    @property
    def is_paused(self) -> bool:
        """Whether the account's queued messages wait for a person."""
        return self.paused_at is not None

    @classmethod
    def database(cls) -> str:
        """Return the alias of the database that states are written to."""
        return router.db_for_write(cls)
