"""How many messages of each day have come to which end: what the dashboard shows of any number.

A move of a message appends rows in its own transaction, so that no two moves wait for each other;
the sums count, and the worker melts the rows of a day down to one a kind.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .messages import Status


class DayTally(models.Model):
    """How many messages of a day have come to a status, or left it again.

    The day is the one, in the site's time zone, on which a message's last attempt began, or on
    which it was created where there was none. Those under way are not counted.
    """

    day = models.DateField()
    account = models.CharField(max_length=50)
    template_code = models.CharField(max_length=100)
    channel = models.CharField(max_length=50, blank=True)
    network = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=20, choices=Status)
    number = models.IntegerField()
    paid_messages = models.IntegerField()

    class Meta:
        verbose_name = _("tally of a day")
        verbose_name_plural = _("tallies of days")
        default_permissions = ()
        indexes = [models.Index(fields=["day"], name="etelecom_day_tally")]

    def __str__(self) -> str:
        return f"{self.day} {self.status} {self.number:+}"


class WaitTally(models.Model):
    """How many messages of a day took about how long from sending to delivery.

    `tallies.bucket_of` says which bucket a time falls into.
    """

    day = models.DateField()
    bucket = models.SmallIntegerField()
    number = models.IntegerField()

    class Meta:
        verbose_name = _("tally of times to delivery")
        verbose_name_plural = _("tallies of times to delivery")
        default_permissions = ()
        indexes = [models.Index(fields=["day"], name="etelecom_wait_tally")]

    def __str__(self) -> str:
        return f"{self.day} {self.bucket} {self.number:+}"


class Dashboard(DayTally):
    """What the admin lists the page by that shows the tallies; it has no rows of its own."""

    class Meta:
        proxy = True
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")
        default_permissions = ()
