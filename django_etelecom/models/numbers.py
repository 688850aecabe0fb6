"""What is known of phone numbers: who must not be sent to, who agreed to it, who had what lately.

A number is found by its keyed digest (`sealing.number_digests`), so that one that was erased is
still known as one not to send to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.conf import settings
from django.db import connections, models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..redaction import clean_text
from .clock import EPOCH_NOW
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
        return clean_text(self.source, 255)


class History(NamedTuple):
    """What a number was sent lately."""

    now: float
    """By the database's clock, in seconds since 1970."""
    turns: str


class NumberHistory(models.Model):
    """What a number was sent lately, as far as a limit asks for it; a row is its number's lock."""

    number_digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    # By the database's clock, in seconds since 1970.
    touched_at = models.FloatField(db_index=True)
    # As `turns.py` writes them.
    turns = models.TextField(default="")

    class Meta:
        verbose_name = _("recent messages of a number")
        verbose_name_plural = _("recent messages of numbers")
        default_permissions = ()

    def __str__(self) -> str:
        return self.number_digest[:16]

    @classmethod
    def hold(cls, digests: Iterable[str], *, using: str) -> dict[str, History]:
        """Hold numbers until the transaction ends; return what each was sent lately.

        One statement, which writes, so that SQLite may begin a transaction with it. Numbers are
        held in one order, so that no two such statements wait for one another.
        """
        connection = connections[using]
        now = EPOCH_NOW[connection.vendor]
        ordered = sorted(set(digests))
        written = ", ".join([f"(%s, {now}, '')"] * len(ordered))
        known = _MEETS[connection.vendor].format(f"touched_at = {now}")
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {cls._meta.db_table} (number_digest, touched_at, turns) "  # noqa: S608  # nosec B608  # names alone
                f"VALUES {written} {known} RETURNING number_digest, touched_at, turns",
                ordered,
            )
            return {digest: History(float(at), turns) for digest, at, turns in cursor.fetchall()}

    @classmethod
    def append(cls, digest: str, turn: str, *, using: str) -> str:
        """Hold a number and give it one more turn; return all that it had, this one the last.

        In one statement: each message to a limited number waits for it.

        Args:
            digest: of the number.
            turn: as `turns.begun` writes one whose instant the database is to add.
            using: the alias of the database.
        """
        vendor = connections[using].vendor
        now, appended = EPOCH_NOW[vendor], _APPENDED[vendor]
        first = appended.format(turns="''", now=now)
        another = appended.format(turns=f"{cls._meta.db_table}.turns", now=now)
        known = _MEETS[vendor].format(f"touched_at = {now}, turns = {another}")
        with connections[using].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {cls._meta.db_table} (number_digest, touched_at, turns) "  # noqa: S608  # nosec B608  # names alone
                f"VALUES (%s, {now}, {first}) {known} RETURNING turns",
                [digest, turn, turn],
            )
            [(turns,)] = cursor.fetchall()
        return str(turns)

    @classmethod
    def keep(cls, turns: Mapping[str, str], *, using: str) -> None:
        """Write what numbers were sent lately, of one or more that this transaction holds."""
        written = ", ".join(["(%s, 0, %s)"] * len(turns))
        vendor = connections[using].vendor
        told = "VALUES(turns)" if vendor == "mysql" else "excluded.turns"
        known = _MEETS[vendor].format(f"turns = {told}")
        with connections[using].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {cls._meta.db_table} (number_digest, touched_at, turns) "  # noqa: S608  # nosec B608  # names alone
                f"VALUES {written} {known}",
                [value for one in turns.items() for value in one],
            )


_APPENDED = {
    "postgresql": "{turns} || %s || CAST({now} AS text) || '],'",
    "mysql": "CONCAT({turns}, %s, CAST({now} AS CHAR), '],')",
    "sqlite": "{turns} || %s || PRINTF('%%.6f', {now}) || '],'",
}
_MEETS = {
    "postgresql": "ON CONFLICT (number_digest) DO UPDATE SET {}",
    "mysql": "ON DUPLICATE KEY UPDATE {}",
    "sqlite": "ON CONFLICT (number_digest) DO UPDATE SET {}",
}
