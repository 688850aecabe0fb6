"""Settings of the test suite; DATABASE_URL chooses the database, SQLite by default."""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import django
import environ

# The example site's shop is tested too; its apps are found from its own folder.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "example_project"))

env = environ.Env()

SECRET_KEY = "tests-only"
USE_TZ = True
TIME_ZONE = "Asia/Ho_Chi_Minh"
LANGUAGE_CODE = "en"
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
DATABASES = {"default": env.db("DATABASE_URL", default="sqlite:///tests.sqlite3")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A file, so that threads and processes meet in it as they do in production.
    DATABASES["default"]["TEST"] = {"NAME": Path(tempfile.mkdtemp()) / "tests.sqlite3"}
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
        "timeout": 20,
    }
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_etelecom",
    "shop",
]
if find_spec("drf_spectacular"):
    INSTALLED_APPS.append("drf_spectacular")
if django.VERSION < (6, 0):
    INSTALLED_APPS.append("django_tasks")
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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
REST_FRAMEWORK = {}
if find_spec("drf_spectacular"):
    REST_FRAMEWORK["DEFAULT_SCHEMA_CLASS"] = "drf_spectacular.openapi.AutoSchema"
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "WEBHOOKS": ["django_etelecom.api.openapi.delivery_report"],
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ETELECOM = {
    "ACCOUNTS": {
        "default": {
            "USERNAME": "tests-username",
            "PASSWORD": "tests-password",
            "BASE_URL": "http://127.0.0.1:9",
        }
    }
}
