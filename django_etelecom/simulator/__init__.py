"""eTelecom's gateway on the loopback: a real HTTP server to try, to show and to test with."""

from .outcomes import Outcome
from .receipts import Receipt
from .server import Simulator
from .webhooks import WebhookDelivery

__all__ = ["Outcome", "Receipt", "Simulator", "WebhookDelivery"]
