"""A plugin of pytest that begins each run with a copy of a database that was migrated once.

A run for every mutant would spend most of its time on migrations.
"""

import os
import shutil
from pathlib import Path

import pytest
from django.conf import settings

MIGRATED_DATABASE = "MIGRATED_DATABASE"
"""Names the file, in the environment."""


def pytest_sessionstart(session: pytest.Session) -> None:
    copy = Path(settings.DATABASES["default"]["TEST"]["NAME"])
    # What the run before had not written into its file is not of this one.
    for rest in ("-wal", "-shm"):
        copy.with_name(copy.name + rest).unlink(missing_ok=True)
    shutil.copyfile(os.environ[MIGRATED_DATABASE], copy)
