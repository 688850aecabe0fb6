"""The Vietnamese catalogues have every string of the code, and are compiled as they are written."""

import io
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.utils import translation
from django.utils.translation.template import templatize

import django_etelecom
import shop
from django_etelecom.models.messages import Status

PACKAGES = [Path(package.__file__).parent for package in (django_etelecom, shop)]
CATALOGUE = Path("locale", "vi", "LC_MESSAGES", "django.po")

SINGULAR = {"_", "gettext", "gettext_lazy", "gettext_noop"}
KEYWORDS = {
    **dict.fromkeys(SINGULAR, (1,)),
    **dict.fromkeys(["ngettext", "ngettext_lazy"], (1, 2)),
    **dict.fromkeys(["pgettext", "pgettext_lazy"], ((1, "c"), 2)),
    **dict.fromkeys(["npgettext", "npgettext_lazy"], ((1, "c"), 2, 3)),
}

ENDS = ".:?!…"

UPDATE = "`tox run -e catalogue` brings it up to date, then translate what is new"


def singular(identifier):
    return identifier if isinstance(identifier, str) else identifier[0]


def plural(identifier):
    return identifier if isinstance(identifier, str) else identifier[-1]


def entries(catalogue):
    return {(context(entry), singular(entry.id)): entry for entry in catalogue if entry.id}


def context(entry):
    # Of what is compiled babel leaves it in bytes.
    return entry.context.decode() if isinstance(entry.context, bytes) else entry.context


def translations(catalogue):
    return {key: singular(entry.string) for key, entry in entries(catalogue).items()}


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda package: package.name)
def package(request):
    return request.param


@pytest.fixture(scope="module")
def written(package):
    with (package / CATALOGUE).open("rb") as file:
        return read_po(file)


def extracted(source):
    for _line, identifier, _comments, told_apart_by in extract(
        "python", io.BytesIO(source.encode()), KEYWORDS
    ):
        yield told_apart_by, singular(identifier)


def marked_in(package):
    """Return every string that is marked in a package; templates as `makemessages` reads them."""
    strings = set()
    for path in package.rglob("*.py"):
        strings.update(extracted(path.read_text()))
    for path in package.rglob("*.html"):
        lines = templatize(path.read_text()).splitlines()
        strings.update(extracted("\n".join(line.strip() for line in lines)))
    return strings


def placeholders(text):
    return set(re.findall(r"%\(\w+\)[a-z]|%%|\{\w+\}|<[^>]+>", text))


def test_catalogue__has_every_string_of_the_code(package, written):
    assert marked_in(package) - set(entries(written)) == set(), UPDATE


def test_catalogue__has_no_string_that_the_code_lost(package, written):
    assert set(entries(written)) - marked_in(package) == set(), UPDATE
    assert not written.obsolete, UPDATE


def test_catalogue__is_translated_throughout(written):
    missing = [key for key, text in translations(written).items() if not text]
    fuzzy = [key for key, entry in entries(written).items() if entry.fuzzy]

    assert missing == []
    assert fuzzy == []
    assert not written.fuzzy


def test_catalogue__keeps_the_placeholders(written):
    changed = [
        entry.id
        for entry in entries(written).values()
        if placeholders(singular(entry.string)) != placeholders(plural(entry.id))
    ]

    assert changed == []


def test_catalogue__ends_as_the_english_does(written):
    def end(text):
        return text[-1] if text[-1] in ENDS else ""

    changed = [
        (identifier, text)
        for (_context, identifier), text in translations(written).items()
        if end(text) != end(identifier)
    ]

    assert changed == []


def test_catalogue__has_no_stray_spaces(written):
    stray = [
        text
        for text in translations(written).values()
        if text != text.strip() or "  " in text or re.search(r" [.,:;?!]", text)
    ]

    assert stray == []


def test_catalogue__is_compiled(package, written):
    with (package / CATALOGUE).with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)

    assert translations(compiled) == translations(written), UPDATE


def test_catalogue__no_word_is_taken_by_django(written):
    # Of two apps the first one's word counts; a context tells ours apart.
    with translation.override("vi"):
        taken = {
            entry.id: looked_up(entry)
            for entry in entries(written).values()
            if looked_up(entry).lower() != singular(entry.string).lower()
        }

    assert taken == {}


def looked_up(entry):
    if isinstance(entry.id, tuple):
        return translation.ngettext(*entry.id, 1)
    if entry.context:
        return translation.pgettext(entry.context, entry.id)
    return translation.gettext(entry.id)


def test_catalogue__is_found_by_django():
    with translation.override("vi"):
        assert str(Status.DELIVERED.label) == "đã đến máy"
