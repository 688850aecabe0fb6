"""`etelecom_import_templates`."""

import builtins
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_etelecom.exceptions import ImportOutdated
from django_etelecom.management.commands import etelecom_import_templates
from django_etelecom.models import MessageTemplate

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments):
    out = StringIO()
    call_command("etelecom_import_templates", *arguments, stdout=out, no_color=True)
    return out.getvalue()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO())


@pytest.fixture
def listing(live):
    """The simulator lists one new template and a change to one of the site's."""
    live.templates = {
        "login_otp": {"otp": ("otp", "^[0-9]{6}$")},
        "greeting": {"name": ("name", "")},
    }
    return live


@pytest.fixture
def somebody(monkeypatch):
    """Somebody sits at the terminal and answers this."""

    def answers(word: str) -> list[str]:
        asked = []

        def answer(question):
            asked.append(question)
            if word == "Ctrl-D":
                raise EOFError
            return word

        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr(builtins, "input", answer)
        return asked

    return answers


def codes():
    return set(MessageTemplate.objects.values_list("code", flat=True))


def test_import__prints_what_changes_and_changes_it(listing, otp_template):
    printed = run("--yes")

    assert printed.splitlines() == [
        "~ login_otp",
        "    Parameter otp: pattern ^[0-9]{6}$",
        "+ greeting",
        "    New parameter name: text, at most 30 characters",
        "    Registered for: ZNS (Zalo), Voice call, SMS",
        "    Not active at first, in the category: transactional",
        "Templates added: 1, changed: 1.",
        "The new ones are not active: look at each one's category, text and route in the admin, "
        "and set it active there.",
    ]
    assert codes() == {"login_otp", "greeting"}
    assert otp_template.parameters.get().pattern == "^[0-9]{6}$"


def test_import__twice(listing, otp_template):
    run("--yes")

    printed = run("--yes")

    assert printed == "2 templates are as the provider has them.\nThere is nothing to change.\n"


def test_import__without_a_new_one(live, otp_template):
    live.templates = {"login_otp": {"otp": ("otp", "^1$")}, "LOGIN_OTP": {}}

    printed = run("--yes")

    assert printed.splitlines() == [
        "~ login_otp",
        "    Parameter otp: pattern ^1$",
        "  LOGIN_OTP",
        "    Its code differs only in case from login_otp.",
        "Templates added: 0, changed: 1.",
    ]


def test_dry_run__changes_nothing(listing):
    printed = run("--dry-run", "--yes")

    assert "+ greeting" in printed
    assert printed.endswith("Nothing was changed.\n")
    assert codes() == set()


def test_nobody_to_ask__is_a_failure_that_changes_nothing(listing):
    out = StringIO()

    with pytest.raises(CommandError, match="nobody to ask") as caught:
        call_command("etelecom_import_templates", stdout=out, no_color=True)

    assert caught.value.returncode == 1
    assert "+ greeting" in out.getvalue()
    assert codes() == set()


def test_nobody_to_ask__is_no_failure_where_there_is_nothing_to_change(live):
    live.templates = {}

    assert run() == "There is nothing to change.\n"


@pytest.mark.parametrize("word", ["y", " YES "])
def test_somebody_says_yes(listing, somebody, word):
    asked = somebody(word)

    run()

    assert asked == ["Make these changes? [y/N] "]
    assert codes() == {"login_otp", "greeting"}


@pytest.mark.parametrize("word", ["", "n", "yess", "Ctrl-D"])
def test_somebody_says_no(listing, somebody, word):
    somebody(word)

    assert run().endswith("Nothing was changed.\n")
    assert codes() == set()


def test_provider_without_a_list(live):
    live.templates = None

    with pytest.raises(CommandError, match="HTTP 404"):
        run("--yes")


def test_account__that_there_is_not(live):
    with pytest.raises(CommandError, match="no account 'shop'"):
        run("--account", "shop")


def test_account__of_several_has_to_be_given(live, settings):
    entry = settings.ETELECOM["ACCOUNTS"]["default"]
    settings.ETELECOM = {"ACCOUNTS": {"one": entry, "two": entry}}

    with pytest.raises(CommandError, match="by --account: one, two"):
        run()
    run("--account", "two", "--yes")

    assert set(MessageTemplate.objects.values_list("account", flat=True)) == {"two"}


def test_account__none_at_all(settings):
    settings.ETELECOM = {}

    with pytest.raises(CommandError, match="has no account"):
        run()


def test_import__templates_changed_meanwhile(listing, monkeypatch):
    def outdated(plan):
        raise ImportOutdated("The templates were changed meanwhile.")

    monkeypatch.setattr(etelecom_import_templates.services, "import_templates", outdated)

    with pytest.raises(CommandError, match=r"Nothing was changed\. The templates were changed"):
        run("--yes")
