"""How the documentation is built: `tox run -e docs`."""

import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
settings.configure(
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django_etelecom",
    ],
    USE_TZ=True,
)
django.setup()

from django_etelecom import __version__  # noqa: E402  # after the settings

project = "django-etelecom"
author = "the django-etelecom maintainers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
# The docstrings write code between single backticks.
default_role = "code"
html_theme = "furo"
html_title = "django-etelecom"
html_show_copyright = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
