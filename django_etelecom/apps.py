"""The app's entry in INSTALLED_APPS."""

import logging

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
        from .masking import LogFilter
        from .models import functions

        # An error of the database's may quote a row. Ours are all logged by this one logger.
        logger = logging.getLogger(self.name)
        if not any(isinstance(one, LogFilter) for one in logger.filters):
            logger.addFilter(LogFilter())

        post_migrate.connect(functions.create_functions, sender=self)
