"""The Celery application that the workers are started with, as a site's `celery.py` has it."""

from celery import Celery

app = Celery("tests.engines")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
