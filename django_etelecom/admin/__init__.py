"""The admin: templates, routes, messages and campaigns, and sending them by hand."""

from .accounts import AccountStateAdmin
from .campaigns import CampaignAdmin
from .consents import ConsentAdmin
from .dashboard import DashboardAdmin
from .messages import MessageLogAdmin
from .routes import RouteRuleAdmin
from .suppressions import SuppressionAdmin
from .templates import MessageTemplateAdmin

__all__ = [
    "AccountStateAdmin",
    "CampaignAdmin",
    "ConsentAdmin",
    "DashboardAdmin",
    "MessageLogAdmin",
    "MessageTemplateAdmin",
    "RouteRuleAdmin",
    "SuppressionAdmin",
]
