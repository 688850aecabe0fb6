"""The admin: templates, routes, the messages that were sent, and sending one by hand."""

from .accounts import AccountStateAdmin
from .messages import MessageLogAdmin
from .routes import RouteRuleAdmin
from .templates import MessageTemplateAdmin

__all__ = ["AccountStateAdmin", "MessageLogAdmin", "MessageTemplateAdmin", "RouteRuleAdmin"]
