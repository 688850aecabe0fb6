"""Settings of the tests that need brokers, and of the workers that they start."""

import os

os.environ.setdefault("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/etelecom")

from tests.settings import *  # noqa: F403  # after the database's URL
from tests.settings import INSTALLED_APPS, env

INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="memory://")
CELERY_TASK_DEFAULT_QUEUE = env("CELERY_QUEUE", default="etelecom-tests")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # After so many seconds Redis gives a task of a dead worker to another, which looks each second.
    "visibility_timeout": 3,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "global_keyprefix": f"{CELERY_TASK_DEFAULT_QUEUE}:",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_DB_REUSE_MAX = 100

ETELECOM = {
    "ACCOUNTS": {
        "default": {
            "USERNAME": "tests-username",
            "PASSWORD": "tests-password",
            "BASE_URL": env("SIMULATOR_URL", default="http://127.0.0.1:9"),
            "TIMEOUT": 5,
        }
    },
}
