"""What became of a message, told to the site's own code.

Each signal is sent after the commit that moved the message, with `sender=MessageLog`, `message`
(the row as it is then, which another process may have moved on already) and `event` (what the
provider said; None where nobody did: the message expired or its process died). A receiver that
raises is logged and changes nothing. At most once: a process that dies between the commit and the
signal has sent none, so what must not be missed is read from the rows.
"""

from typing import Any

from django.db import transaction
from django.dispatch import Signal

message_accepted = Signal()
message_rejected = Signal()
message_not_sent = Signal()
message_unknown = Signal()
message_delivered = Signal()
message_undelivered = Signal()

campaign_finished = Signal()
"""`sender=Campaign`, `campaign`: none of its messages is under way any more."""

account_paused = Signal()
"""`sender=AccountState`, `account` (its alias), `reason` (a `MessageLog.Reason`)."""

BY_STATUS = {
    "accepted": message_accepted,
    "rejected": message_rejected,
    "not_sent": message_not_sent,
    "unknown": message_unknown,
    "delivered": message_delivered,
    "undelivered": message_undelivered,
}


def has_receivers(status: str, sender: type) -> bool:
    """Tell whether anybody listens to messages that come to this status."""
    signal = BY_STATUS.get(status)
    return signal is not None and signal.has_listeners(sender)


def announce(message: Any, status: str, event: Any = None) -> None:
    """Tell that a message has come to a status, once that is committed.

    Args:
        message: the row as it is; another process may have moved it on by now.
        status: the one that this process moved it to.
        event: what the provider said; None where nobody did.
    """
    if has_receivers(status, type(message)):
        signal = BY_STATUS[status]
        transaction.on_commit(
            lambda: signal.send_robust(type(message), message=message, event=event),
            using=message.database(),
            robust=True,
        )
