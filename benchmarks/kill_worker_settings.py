"""Settings of the site whose workers `kill_worker.py` kills."""

import os

import environ

SECRET_KEY = "benchmark"
USE_TZ = True
TIME_ZONE = "Asia/Ho_Chi_Minh"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_etelecom",
]
DATABASES = {"default": environ.Env().db("DATABASE_URL")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {"init_command": "PRAGMA journal_mode=WAL", "timeout": 20}
# The database that the run made for itself, as its workers are told.
if name := os.environ.get("KILL_WORKER_DATABASE"):
    DATABASES["default"]["NAME"] = name
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# That a message has lapsed is what is meant to happen here.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"django_etelecom": {"level": "ERROR"}},
}
ETELECOM = {
    "ACCOUNTS": {
        "default": {
            "USERNAME": "u",
            "PASSWORD": "p",
            "BASE_URL": os.environ.get("KILL_WORKER_BASE_URL", "http://127.0.0.1:9"),
            # A kill leaves more outcomes unknown than an account that works ever has in a row.
            "PAUSE_AFTER_UNKNOWN": None,
        }
    },
    # Asking what became of them is no part of this.
    "POLL_AFTER": [],
}
