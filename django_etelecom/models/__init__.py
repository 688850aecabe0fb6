"""What the app keeps: templates, routes, messages and their events."""

from .accounts import AccountState
from .campaigns import Campaign, CampaignPart, CampaignRow, CampaignTally
from .messages import InboxReport, MessageEvent, MessageLog, ReportedMessage
from .numbers import Consent, NumberHistory, Suppression
from .routes import Channel, RouteRule
from .summary import Dashboard, DayTally, WaitTally
from .templates import MessageTemplate, TemplateParameter

__all__ = [
    "AccountState",
    "Campaign",
    "CampaignPart",
    "CampaignRow",
    "CampaignTally",
    "Channel",
    "Consent",
    "Dashboard",
    "DayTally",
    "InboxReport",
    "MessageEvent",
    "MessageLog",
    "MessageTemplate",
    "NumberHistory",
    "ReportedMessage",
    "RouteRule",
    "Suppression",
    "TemplateParameter",
    "WaitTally",
]
