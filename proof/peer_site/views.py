"""Views that send, each in its own way, and do nothing else."""

import requests
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

from django_etelecom.services import send_message

from . import gateway
from .models import Notification


@csrf_exempt
def by_the_app(request):
    send_message("order", request.POST["to"], {"order_code": "DH-1024", "pin": "271828"})
    return HttpResponse()


@csrf_exempt
def saving_after(request):
    send_and_save(request.POST["to"])
    return HttpResponse()


@csrf_exempt
def saving_before(request):
    save_and_send(request.POST["to"])
    return HttpResponse()


def send_and_save(number: str) -> Notification:
    """Keep what came of it, by a session that tries again."""
    try:
        provider_id, status = gateway.post(gateway.retrying, number), Notification.Status.SENT
    except requests.RequestException:
        provider_id, status = "", Notification.Status.FAILED
    return Notification.objects.create(recipient=number, status=status, provider_id=provider_id)


def save_and_send(number: str) -> Notification:
    """Keep it before it is sent, and what came of it after; nothing is tried again."""
    notification = Notification.objects.create(recipient=number)
    try:
        notification.provider_id = gateway.post(gateway.plain, number)
        notification.status = Notification.Status.SENT
    except requests.RequestException:
        notification.status = Notification.Status.FAILED
    notification.save()
    return notification
