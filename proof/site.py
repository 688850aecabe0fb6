"""The site that is put to the proof, loaded: each process of a job is forked from this module.

A process that is dead is taken for dead by the clock of the database and by nothing else. Leases of
some seconds stand for the minutes that a site gives its processes.
"""

import os
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proof.settings")

import django

django.setup()

from django_etelecom import lifecycle  # noqa: E402  # once the site is loaded
from django_etelecom.accounts import backend_for  # noqa: E402

# Longer than it takes to claim a message of a database that is slow: one whose claim took longer is
# not begun any more.
lifecycle.LEASE_MARGIN = timedelta(seconds=2)
lifecycle.BIRTH_LEASE = timedelta(seconds=2)

LEASE = max(lifecycle.lease(backend_for("default").account), lifecycle.BIRTH_LEASE)
"""After so long nobody holds a message whose process has died."""
