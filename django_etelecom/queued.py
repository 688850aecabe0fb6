"""What a queued row carries to the worker that will send it, in place of the caller's memory.

Its secret values are encrypted, together with the message's public id, so that what was sealed for
one message cannot be passed off for another's.
"""

import json
import uuid

from .backends.base import Outgoing
from .client.opaque import shielded
from .models import MessageLog
from .redaction import MASK
from .schema import Wire
from .sealing import SealBroken, seal, unseal

PURPOSE = "queued parameters"


def seal_secrets(public_id: uuid.UUID, wire: Wire) -> str:
    """Return the secret values of a message, encrypted; "" where it has none.

    Raises:
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    return shielded(lambda: _sealed(public_id, wire))


def _sealed(public_id: uuid.UUID, wire: Wire) -> str:
    secrets = wire.secret_values()
    return seal(json.dumps([str(public_id), secrets]), purpose=PURPOSE) if secrets else ""


def outgoing_of(message: MessageLog) -> Outgoing:
    """Return what a backend takes to send a queued row, whatever became of its template meanwhile.

    Raises:
        SealBroken: its secrets cannot be opened, are another message's, or were erased.
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    return Outgoing(
        public_id=message.public_id,
        template_code=message.template_code,
        recipient=message.recipient,
        channels=tuple(message.channels),
        wire=shielded(lambda: _wire(message)),
    )


def _wire(message: MessageLog) -> Wire:
    secrets = _opened(message) if message.sealed_params else {}
    values = {**message.params, **secrets}
    # Never a value that somebody gave: `Parameter.clean` takes none that reads so.
    if MASK in values.values():
        raise SealBroken("A secret parameter's value was not kept, only the mask of it.")
    return Wire(values, names=message.params, secret_names=secrets)


def _opened(message: MessageLog) -> dict[str, str]:
    public_id, secrets = json.loads(unseal(message.sealed_params, purpose=PURPOSE))
    if public_id != str(message.public_id):
        raise SealBroken("The sealed parameters are another message's.")
    return dict(secrets)
