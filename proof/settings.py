"""Settings of the site that is put to the proof; every process of a job reads them."""

import os

import environ

from .servers import BROKERS as BROKERS

env = environ.Env()

SECRET_KEY = "of the proof"
USE_TZ = True
TIME_ZONE = "Asia/Ho_Chi_Minh"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_etelecom",
]
DATABASES = {"default": env.db("PROOF_DATABASE_URL")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {"init_command": "PRAGMA journal_mode=WAL", "timeout": 20}
# The one that the job has made for itself.
if name := os.environ.get("PROOF_DATABASE_NAME"):
    DATABASES["default"]["NAME"] = name
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CONNECT_TIMEOUT = 0.5
TIMEOUT = 1.0


def account(**own):
    return {
        "USERNAME": "proof",
        "PASSWORD": "proof-password",
        "BASE_URL": env("PROOF_BASE_URL", default="http://127.0.0.1:9"),
        "CONNECT_TIMEOUT": CONNECT_TIMEOUT,
        "TIMEOUT": TIMEOUT,
        # A kill leaves more outcomes unknown than an account that works ever has in a row.
        "PAUSE_AFTER_UNKNOWN": None,
        **own,
    }


ETELECOM = {
    "ACCOUNTS": {
        "default": account(),
        "bulk": account(BACKEND="django_etelecom.backends.bulk.BulkBackend"),
    },
    # Asking what became of them is the part of some checks only.
    "POLL_AFTER": [],
}

# Chosen by each process that speaks to a broker.
CELERY_BROKER_URL = "memory://"
CELERY_TASK_DEFAULT_QUEUE = env("PROOF_QUEUE", default="etelecom-proof")
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Whoever is alive when a worker has died gets its tasks: what it held is carried again at once.
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": f"{CELERY_TASK_DEFAULT_QUEUE}:"}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    # That messages lapse is what is meant to happen here.
    "loggers": {"django_etelecom": {"level": "CRITICAL", "handlers": ["console"]}},
}
