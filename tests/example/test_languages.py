"""The example's shop and admin in the language that a person chooses."""

import pytest
from django.utils.formats import reset_format_cache

from tests.example.conftest import ROOT

TEMPLATES = ROOT / "example_project" / "templates"

pytestmark = [pytest.mark.urls("shop_site.urls"), pytest.mark.usefixtures("shop")]


@pytest.fixture(autouse=True)
def _languages(settings):
    """The languages and formats of the example's own settings."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [TEMPLATES]}]
    settings.LANGUAGES = [("vi", "Tiếng Việt"), ("en", "English")]
    settings.FORMAT_MODULE_PATH = "shop_site.formats"
    reset_format_cache()
    yield
    reset_format_cache()


def choose(client, language):
    return client.post("/i18n/setlang/", {"language": language, "next": "/"}, follow=True)


def test_shop__follows_the_browser(client):
    page = client.get("/", headers={"accept-language": "vi"})

    assert '<html lang="vi">' in page.text
    assert "Các loại trà" in page.text
    assert "150.000 ₫" in page.text


@pytest.mark.parametrize(("language", "words"), [("vi", "Các loại trà"), ("en", "Our teas")])
def test_shop__follows_the_button_rather(client, language, words):
    page = choose(client, language)

    assert words in page.text
    assert page.text.count("aria-current") == 1
    assert "English</button>" in page.text


def test_admin__follows_the_same_choice(admin_client):
    choose(admin_client, "vi")

    page = admin_client.get("/admin/etelecom/")

    assert "Nhật ký gửi tin" in page.text


def test_admin__has_the_buttons(admin_client):
    page = admin_client.get("/admin/")

    assert 'action="/i18n/setlang/"' in page.text
    assert "English</button>" in page.text
