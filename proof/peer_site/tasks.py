"""Celery tasks that send, after "Automatic retry for known exceptions" in Celery's user guide."""

import celery
import requests

from . import gateway
from .models import Notification


class Sending(celery.Task):
    """Says so where a task has been given up."""

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        Notification.objects.filter(pk=args[0]).update(status=Notification.Status.FAILED)


def send(pk: int) -> None:
    notification = Notification.objects.get(pk=pk)
    # The guide wants a task that may run twice to be idempotent: as far as it can know, it is.
    if notification.status == Notification.Status.SENT:
        return
    notification.provider_id = gateway.post(gateway.plain, notification.recipient)
    notification.status = Notification.Status.SENT
    notification.save()


def task(name: str, **options):
    decorate = celery.shared_task(
        name=name,
        base=Sending,
        autoretry_for=(requests.RequestException,),
        retry_backoff=True,
        **options,
    )
    return decorate(send)


acknowledged_early = task("acknowledged early", acks_late=False)
acknowledged_late = task("acknowledged late", acks_late=True)
