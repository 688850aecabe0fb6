"""The app's entry in INSTALLED_APPS."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class EtelecomConfig(AppConfig):
    name = "django_etelecom"
    label = "etelecom"
    verbose_name = _("eTelecom messages")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Registers the system checks; at import time neither settings nor models are ready.
        from . import checks  # noqa: F401
        from .models import functions

        post_migrate.connect(functions.create_functions, sender=self)
