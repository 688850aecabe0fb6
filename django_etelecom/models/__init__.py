"""What the app keeps: templates, routes, messages and their events."""

from .messages import MessageEvent, MessageLog
from .routes import Channel, RouteRule
from .templates import MessageTemplate, TemplateParameter

__all__ = [
    "Channel",
    "MessageEvent",
    "MessageLog",
    "MessageTemplate",
    "RouteRule",
    "TemplateParameter",
]
