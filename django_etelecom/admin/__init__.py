"""The admin: templates, routes, messages and campaigns, and sending them by hand."""

from .accounts import AccountStateAdmin
from .campaigns import CampaignAdmin
from .dashboard import DashboardAdmin
from .messages import MessageLogAdmin
from .routes import RouteRuleAdmin
from .templates import MessageTemplateAdmin

__all__ = [
    "AccountStateAdmin",
    "CampaignAdmin",
    "DashboardAdmin",
    "MessageLogAdmin",
    "MessageTemplateAdmin",
    "RouteRuleAdmin",
]
