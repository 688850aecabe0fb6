"""Settings of the example site. What differs from machine to machine is read from `.env`."""

from pathlib import Path
from urllib.parse import quote

import environ

from django_etelecom import env as etelecom_env

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=True)
# Only a development site may do without a secret of its own.
SECRET_KEY = env.str(
    "SECRET_KEY", default="django-insecure-development-only" if DEBUG else env.NOTSET
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])

ROOT_URLCONF = "shop_site.urls"
WSGI_APPLICATION = "shop_site.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_etelecom",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Quoted, since django-environ unquotes what stands in the URL.
DATABASES = {
    "default": env.db("DATABASE_URL", default=f"sqlite:///{quote(str(BASE_DIR / 'db.sqlite3'))}")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# One-time codes and their tries are kept here: several processes of the site must share it.
CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}

# The language of whoever has neither chosen one nor a browser that asks for one, and of the worker.
LANGUAGE_CODE = "en"
LANGUAGES = [("vi", "Tiếng Việt"), ("en", "English")]
TIME_ZONE = "Asia/Ho_Chi_Minh"
USE_TZ = True
FORMAT_MODULE_PATH = "shop_site.formats"
STATIC_URL = "static/"

ETELECOM = {
    "ACCOUNTS": {
        "default": {
            # The default is the simulator that `manage.py serve` runs.
            **etelecom_env.account(
                "ETELECOM_URL", default="etelecom+http://demo:demo@127.0.0.1:8055"
            ),
            # Whatever goes wrong, it costs no more than this.
            "MAX_PAID_PER_DAY": 500,
            "MAX_PAID_PER_MONTH": 5000,
        },
    },
    # What the shop changes of the guards that hold anyway: a number gets at most three codes an
    # hour, and its second one after a minute. Anybody can order for any number: without a limit
    # of their own, confirmations have none.
    "GUARDS": {
        "otp": {"LIMITS": [(3, 3600), (10, 86_400)], "COOLDOWN": [60, 120]},
        "transactional": {"LIMITS": [(5, 3600), (10, 86_400)]},
    },
    "ENCRYPTION_KEYS": env.list("ETELECOM_ENCRYPTION_KEYS", default=[]),
    "WEBHOOK_TOKENS": env.list("ETELECOM_WEBHOOK_TOKENS", default=[]),
    # Days; `manage.py etelecom_prune` keeps to them, each night.
    "RETENTION": {
        "otp": {"strip": 7, "delete": 90},
        "transactional": {"strip": 180, "delete": 730},
    },
}

# The API: a key is the token of a user, whose permissions say what it is for.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_THROTTLE_RATES": {"etelecom_send": "60/min", "etelecom_check": "120/min"},
}

# What becomes of each message, on the console; the filter is for the lines of a site's own as well.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"etelecom": {"()": "django_etelecom.masking.LogFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["etelecom"]}},
    "loggers": {"django_etelecom": {"handlers": ["console"], "level": "INFO"}},
}

# A site that is not for development is reached by https alone, and has browsers remember that for
# an hour; `.env.example` says when to make it a year.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=not DEBUG)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=not DEBUG)
SESSION_COOKIE_SECURE = env.bool("SESSION_COOKIE_SECURE", default=not DEBUG)
CSRF_COOKIE_SECURE = env.bool("CSRF_COOKIE_SECURE", default=not DEBUG)
# As a proxy of yours sends it, and lets nobody else: HTTP_X_FORWARDED_PROTO.
HTTPS_HEADER = env.str("HTTPS_HEADER", default="")
SECURE_PROXY_SSL_HEADER = (HTTPS_HEADER, "https") if HTTPS_HEADER else None
