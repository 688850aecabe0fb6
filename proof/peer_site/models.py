"""The table in which code that a site writes by itself keeps what it has sent."""

from django.db import models


class Notification(models.Model):
    class Status(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        FAILED = "failed"

    recipient = models.CharField(max_length=15)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    provider_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.recipient}: {self.status}"
