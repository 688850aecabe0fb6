"""Settings of that site: the proof's own, and what each peer's documentation asks for."""

from proof.settings import *  # noqa: F403
from proof.settings import BROKERS, CONNECT_TIMEOUT, INSTALLED_APPS, TIMEOUT, env

INSTALLED_APPS = [*INSTALLED_APPS, "anymail", "post_office", "proof.peer_site"]
ROOT_URLCONF = "proof.peer_site.urls"
ALLOWED_HOSTS = ["testserver"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]

POST_OFFICE = {"BACKENDS": {"default": "anymail.backends.postmark.EmailBackend"}}
ANYMAIL = {
    "POSTMARK_SERVER_TOKEN": "of the proof",
    "POSTMARK_API_URL": env("PROOF_POSTMARK_URL", default="http://127.0.0.1:9/"),
    # As long as all the others wait.
    "REQUESTS_TIMEOUT": (CONNECT_TIMEOUT, TIMEOUT),
}

# Of the two brokers the one that gives a dead worker's tasks to another at once.
CELERY_BROKER_URL = BROKERS["RabbitMQ"]
