"""Ask PyPI whether what is installed here has known weaknesses, where it can be asked.

A mirror may have the packages and not what is known of them. So it is asked first for a release
that has a known weakness; where the answer names none, the audit is skipped, with the reason.
"""

import subprocess
import sys

import requests

KNOWN = "https://pypi.org/pypi/pip/23.2/json"
"""Has PYSEC-2023-228."""


def why_not() -> str:
    """Return why PyPI cannot be asked; "" where it can."""
    try:
        response = requests.get(KNOWN, timeout=20)
        response.raise_for_status()
        weaknesses = response.json()["vulnerabilities"]
    except (requests.RequestException, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if weaknesses else f"{KNOWN} names no weakness"


if reason := why_not():
    print(f"Audit of dependencies SKIPPED: what PyPI knows of them cannot be asked.\n{reason}")
    sys.exit()
# Ours is not on PyPI as it stands here.
sys.exit(
    subprocess.call(
        [sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off"]
    )
)
