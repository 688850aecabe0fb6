"""Sealing and digests: what opens what, and under which key."""

import hashlib
import time
import traceback
from base64 import urlsafe_b64encode

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.sealing import (
    SealBroken,
    check_keys,
    digest,
    digest_matches,
    number_digests,
    number_keys,
    seal,
    unseal,
)

# Fixed, for they are part of the names of tests.
FIRST_KEY = urlsafe_b64encode(b"the first key of the test, 32 B.").decode()
SECOND_KEY = urlsafe_b64encode(b"the second key of the test, 32 B").decode()


@pytest.mark.parametrize("plaintext", ["", "483920", "Xin chào", "\x00\ud800"])
def test_unseal__returns_what_was_sealed(plaintext):
    assert unseal(seal(plaintext, purpose="params"), purpose="params") == plaintext


def test_seal__hides_the_text_and_differs_each_time():
    tokens = {seal("483920", purpose="params") for _ in range(2)}

    assert len(tokens) == 2
    assert not any("483920" in token for token in tokens)


def test_seal__key_that_cannot_be_used_shows_the_text_in_no_frame(settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": ["no key"]}

    with pytest.raises(ImproperlyConfigured) as caught:
        seal("".join(["483", "920"]), purpose="params")

    theirs = [frame.f_locals for frame, _line in traceback.walk_tb(caught.value.__traceback__)]
    assert "483920" not in repr(theirs[1:])


def test_unseal__other_purpose_is_broken():
    token = seal("483920", purpose="params")

    with pytest.raises(SealBroken):
        unseal(token, purpose="form")


def test_unseal__tampered_token_is_broken():
    token = seal("483920", purpose="params")
    tampered = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]

    with pytest.raises(SealBroken):
        unseal(tampered, purpose="params")


@pytest.mark.parametrize("token", ["", "x", "đồng", "\ud800", "A" * 10_000_000])
def test_unseal__anything_else_is_broken(token):
    with pytest.raises(SealBroken):
        unseal(token, purpose="params")


def test_unseal__error_carries_no_frame_of_the_decryption():
    with pytest.raises(SealBroken) as caught:
        unseal("x", purpose="params")

    assert caught.value.__context__ is None


def test_unseal__older_than_allowed_is_broken(monkeypatch):
    token = seal("483920", purpose="form")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)

    with pytest.raises(SealBroken):
        unseal(token, purpose="form", max_age=600)


def test_unseal__within_its_age(monkeypatch):
    token = seal("483920", purpose="form")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 590)

    assert unseal(token, purpose="form", max_age=600.5) == "483920"


def test_unseal__secret_key_rotated_with_fallback(settings):
    token = seal("483920", purpose="params")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert unseal(token, purpose="params") == "483920"


def test_unseal__secret_key_replaced_is_broken(settings):
    token = seal("483920", purpose="params")
    settings.SECRET_KEY = "another"

    with pytest.raises(SealBroken):
        unseal(token, purpose="params")


def test_unseal__secret_key_of_bytes(settings):
    settings.SECRET_KEY = b"\xff\x00"

    assert unseal(seal("483920", purpose="params"), purpose="params") == "483920"


def test_unseal__encryption_keys_rotated(settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": [FIRST_KEY]}
    token = seal("483920", purpose="params")
    settings.ETELECOM = {"ENCRYPTION_KEYS": [SECOND_KEY, FIRST_KEY]}

    assert unseal(token, purpose="params") == "483920"


def test_seal__first_encryption_key_seals(settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": [SECOND_KEY, FIRST_KEY]}
    token = seal("483920", purpose="params")
    settings.ETELECOM = {"ENCRYPTION_KEYS": [FIRST_KEY]}

    with pytest.raises(SealBroken):
        unseal(token, purpose="params")


def test_seal__encryption_keys_outlive_the_secret_key(settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": [FIRST_KEY]}
    token = seal("483920", purpose="params")
    settings.SECRET_KEY = "another"

    assert unseal(token, purpose="params") == "483920"


@pytest.mark.parametrize(
    "malformed", ["", "short", "đồng", FIRST_KEY[:-4] + "====", FIRST_KEY + "AAAA", "!" * 44, 42]
)
def test_check_keys__malformed_key_is_told_by_position(malformed, settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": [FIRST_KEY, malformed]}

    with pytest.raises(ImproperlyConfigured) as caught:
        check_keys()

    sentence = str(caught.value)
    assert "ETELECOM['ENCRYPTION_KEYS'][1]" in sentence
    assert not malformed or str(malformed) not in sentence


def test_seal__malformed_key_is_told(settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": ["short"]}

    with pytest.raises(ImproperlyConfigured):
        seal("483920", purpose="params")


def test_check_keys__one_string_is_not_a_list(settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": FIRST_KEY}

    with pytest.raises(ImproperlyConfigured, match="list of Fernet keys"):
        check_keys()


@pytest.mark.parametrize("keys", [[], (FIRST_KEY,), [FIRST_KEY.encode()]])
def test_check_keys__good_keys_pass(keys, settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": keys}

    assert check_keys() is None


def test_digest__is_64_hex_digits():
    assert len(bytes.fromhex(digest("content", "a"))) == 32


@pytest.mark.parametrize(
    "parts", [("ab",), ("", "ab"), ("ab", ""), ("b", "a"), ("a", "B"), ("a\x00b",), ()]
)
def test_digest__other_parts_differ(parts):
    assert digest("content", *parts) != digest("content", "a", "b")


def test_digest__other_purpose_differs():
    assert digest("content", "a") != digest("number", "a")


@given(st.lists(st.text()), st.lists(st.text()))
def test_digest_matches__the_same_parts_only(stored, given_parts):
    matches = digest_matches(digest("content", *stored), "content", *given_parts)

    assert matches == (stored == given_parts)


def test_digest_matches__under_a_former_secret_key(settings):
    stored = digest("content", "a")
    settings.SECRET_KEY_FALLBACKS = ["older", settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert digest_matches(stored, "content", "a")
    assert digest("content", "a") != stored


def test_digest_matches__not_under_a_forgotten_key(settings):
    stored = digest("content", "a")
    settings.SECRET_KEY = "another"

    assert not digest_matches(stored, "content", "a")


@pytest.mark.parametrize("stored", ["", "đồng", "\ud800"])
def test_digest_matches__anything_else_does_not(stored):
    assert not digest_matches(stored, "content", "a")


def test_number_digests__are_found_under_today_and_former_keys(settings):
    (first,) = number_digests("84912345678")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    rotated = number_digests("84912345678")
    settings.ETELECOM = {"ENCRYPTION_KEYS": [FIRST_KEY]}
    with_own_keys = number_digests("84912345678")

    assert rotated[1:] == (first,)
    assert with_own_keys[1:] == rotated


def test_number_digests__name_their_key():
    (found,) = number_digests("84912345678")

    assert found.split(".")[0] in number_keys()
    assert len(found) == 73


def test_number_digests__other_numbers_differ_and_are_not_to_be_read():
    assert number_digests("84912345678") != number_digests("84912345679")
    assert "912345678" not in number_digests("84912345678")[0]


def test_number_digests__are_keyed(settings):
    digests = set()
    for key in ("a", "b"):
        settings.SECRET_KEY = key * 50
        _name, digest = number_digests("84912345678")[0].split(".")
        digests.add(digest)

    # Whoever hashes all numbers finds none, but with the site's key.
    assert len(digests) == 2
    assert hashlib.sha256(b"84912345678").hexdigest() not in digests
