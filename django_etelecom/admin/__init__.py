"""The admin: templates, routes, the messages that were sent, and sending one by hand."""

from .messages import MessageLogAdmin
from .routes import RouteRuleAdmin
from .templates import MessageTemplateAdmin

__all__ = ["MessageLogAdmin", "MessageTemplateAdmin", "RouteRuleAdmin"]
