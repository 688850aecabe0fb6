"""The shop, seeded; its commands, run as a person runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.cache import cache

from shop import seeding

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


@pytest.fixture
def shop(db):
    seeding.seed()


@pytest.fixture
def environment(tmp_path):
    """The environment of a site of its own, on a database of its own."""
    return {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'shop.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "shop_site.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.fixture
def command():
    """What comes before the arguments of `manage.py`."""
    return [sys.executable, str(ROOT / "example_project" / "manage.py")]


@pytest.fixture
def manage(command, environment):
    """Run `manage.py` with the given arguments to its end."""

    def run(*arguments, **variables):
        return subprocess.run(
            [*command, *arguments],
            env={**environment, **variables},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return run
