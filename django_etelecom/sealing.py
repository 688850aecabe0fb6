"""Keys: what is encrypted, what is only hashed, and which key does it.

`seal`, `unseal`
    Text that is to be read again. The keys are `ETELECOM["ENCRYPTION_KEYS"]`, the first one seals
    and any unseals; without them `SECRET_KEY` seals and its `SECRET_KEY_FALLBACKS` unseal too.
`digest`, `digest_matches`
    Text that is only to be recognised. The key is `SECRET_KEY`; its fallbacks match too.
`number_digests`
    Phone numbers, which must be known again for years, those that were erased too. The keys are
    those that seal, then `SECRET_KEY` and its fallbacks, so that a site may change to the first.
`key_digest`
    Idempotency keys, which hold no secret. No key.

No key is used as it stands. Each purpose has its own, derived with HKDF-SHA256 (RFC 5869), so
that what was sealed for one purpose cannot be passed off for another.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from .client.opaque import Opaque
from .conf import settings
from .exceptions import EtelecomError

SALT = b"django-etelecom"
KEY_BYTES = 32

NUMBER = "phone number"
"""The purpose of the digests of numbers."""


class SealBroken(EtelecomError):
    """The sealed text cannot be read: other key, other purpose, tampered with, or too old."""


def seal(plaintext: str, *, purpose: str) -> str:
    """Return `plaintext` encrypted and dated, as URL-safe ASCII.

    Raises:
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    text = Opaque(plaintext)
    del plaintext  # An error reporter that reads this frame, where keys are missing, finds nothing.
    return _fernet(purpose).encrypt(_encoded(text.reveal())).decode("ascii")


def unseal(token: str, *, purpose: str, max_age: float | None = None) -> str:
    """Return what was sealed for this purpose, at most `max_age` seconds ago.

    Raises:
        SealBroken: the token was not sealed here for this purpose, or is too old.
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    plaintext = _opened(_fernet(purpose), token, max_age)
    if plaintext is None:
        # Outside any `except`, so that no frame of the decryption hangs on the error.
        raise SealBroken("The sealed text cannot be read: it is too old or was not sealed here.")
    return plaintext


def digest(purpose: str, *parts: str) -> str:
    """Return a keyed hash of the parts: 64 hex digits, the same for the same parts only."""
    return _digest(_secret_keys()[0], purpose, parts)


def digest_matches(stored: str, purpose: str, *parts: str) -> bool:
    """Tell whether `stored` is the digest of the parts, under today's key or a former one."""
    matches = [
        hmac.compare_digest(_encoded(stored), _digest(key, purpose, parts).encode("ascii"))
        for key in _secret_keys()
    ]
    return any(matches)


def number_digests(number: str) -> tuple[str, ...]:
    """Return the keyed hashes of a phone number in wire form, today's key first.

    Each names its key (8 hex digits, a full stop, 64 hex digits), so that it can be told which
    ones no key of the site's finds any more.

    Raises:
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    return tuple(f"{_key_name(key)}.{_digest(key, NUMBER, [number])}" for key in _number_keys())


def number_keys() -> tuple[str, ...]:
    """Return the names by which the digests of numbers name the keys of today.

    Raises:
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    return tuple(map(_key_name, _number_keys()))


def _number_keys() -> list[bytes]:
    return list(dict.fromkeys([*_sealing_keys(), *_secret_keys()]))


def key_digest(key: str) -> str:
    """Return the hash under which an idempotency key is kept: 64 hex digits.

    Not keyed by SECRET_KEY: after a rotation a key that was used would send again.
    """
    return hashlib.sha256(_encoded(key)).hexdigest()


def check_keys() -> None:
    """Check the site's `ENCRYPTION_KEYS`.

    Raises:
        ImproperlyConfigured: one of them is not a Fernet key. The sentence gives its position.
    """
    _sealing_keys()


def _fernet(purpose: str) -> MultiFernet:
    return MultiFernet(
        [
            Fernet(base64.urlsafe_b64encode(_derived(key, f"seal:{purpose}")))
            for key in _sealing_keys()
        ]
    )


def _opened(fernet: MultiFernet, token: str, max_age: float | None) -> str | None:
    try:
        opened = fernet.decrypt(_encoded(token), ttl=None if max_age is None else int(max_age))
    except InvalidToken:
        return None
    return opened.decode("utf-8", "surrogatepass")


def _digest(key: bytes, purpose: str, parts: Sequence[str]) -> str:
    mac = hmac.new(_derived(key, f"digest:{purpose}"), digestmod=hashlib.sha256)
    for part in map(_encoded, parts):
        # With its length before it, no part can run over into the next.
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.hexdigest()


# HKDF costs more than the encryption itself, and a site has few keys and purposes.
@lru_cache(maxsize=64)
def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, SALT, _encoded(purpose)).derive(key)


@lru_cache(maxsize=64)
def _key_name(key: bytes) -> str:
    return _derived(key, "name").hex()[:8]


def _sealing_keys() -> list[bytes]:
    keys = _fernet_keys()
    if isinstance(keys, str):
        # Raised here, where no local variable holds a key.
        raise ImproperlyConfigured(keys)
    return keys or _secret_keys()


def _fernet_keys() -> list[bytes] | str:
    """Return the keys of `ENCRYPTION_KEYS`, or the sentence that says what is wrong with them."""
    configured: object = settings.encryption_keys
    if not isinstance(configured, list | tuple):
        return "ETELECOM['ENCRYPTION_KEYS'] is a list of Fernet keys."
    keys = [_fernet_key(key) for key in configured]
    if None in keys:
        return (
            f"ETELECOM['ENCRYPTION_KEYS'][{keys.index(None)}] is not a Fernet key: 32 bytes in "
            "URL-safe base64, as cryptography.fernet.Fernet.generate_key() makes them."
        )
    return [key for key in keys if key is not None]


def _fernet_key(key: object) -> bytes | None:
    if not isinstance(key, str | bytes):
        return None
    try:
        decoded = base64.b64decode(key, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if len(decoded) == KEY_BYTES else None


def _secret_keys() -> list[bytes]:
    keys = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    return [key if isinstance(key, bytes) else _encoded(key) for key in keys]


def _encoded(text: str) -> bytes:
    # A lone surrogate must not raise: hashing and sealing take whatever text there is.
    return text.encode("utf-8", "surrogatepass")
