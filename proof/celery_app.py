"""The Celery application of the site, as a site's `celery.py` has it."""

from celery import Celery

app = Celery("proof")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()
