"""Why didn't they get it? In words, for whoever has the customer on the phone."""

import dataclasses
import enum
import sys
from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from . import guards, pace, spending
from .client.codes import NETWORKS, ZNS_ERRORS, ChannelKind, ErrorGroup, ZNSError, channel_kind
from .conf import settings
from .events import has_next_channel
from .models import Channel, MessageEvent, MessageLog
from .models.messages import Reason, Source, Status
from .models.routes import channel_names
from .numerals import grouped


class Step(enum.StrEnum):
    """Something that a person can do about a message, with a button for it."""

    REFRESH = "refresh"
    """Ask the provider now."""
    CANCEL = "cancel"
    """Not send it, while it waits."""
    RESEND = "resend"
    """Send it again: to another number, by another route, or as it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a message, in sentences."""

    where: str
    """Where it is now."""
    story: list[str]
    """Which channel carried it or failed, and why; in the order in which it was told."""
    cost: str
    """What it cost; empty where nobody said."""
    advice: list[str]
    """What to do next."""
    steps: list[Step]
    """The buttons that do it."""


def explain(message: MessageLog, events: Sequence[MessageEvent]) -> Explanation:
    """Explain a message by its row and its events, oldest first."""
    return Explanation(
        where=_where(message, events),
        story=_story(events),
        cost=_cost(message),
        advice=_advice(message),
        steps=_steps(message),
    )


# --- Where it is --------------------------------------------------------------------------------


def _where(message: MessageLog, events: Sequence[MessageEvent]) -> str:
    match message.status:
        case Status.QUEUED:
            return _queued(message)
        case Status.SENDING:
            return _("It is being sent at this moment.")
        case Status.ACCEPTED:
            return _accepted(message, events)
        case Status.DELIVERED:
            return _delivered(message)
        case Status.UNDELIVERED:
            return _undelivered(message)
        case Status.REJECTED:
            return _("eTelecom refused it: nothing went out. %(reason)s") % _reason(message)
        case Status.NOT_SENT:
            return _("It was not sent: nothing left this server. %(reason)s") % _reason(message)
        case Status.CANCELLED:
            return _("It was cancelled before it was sent.")
        case _:
            return _("It is not known whether it went out. %(reason)s") % _reason(message)


def _queued(message: MessageLog) -> str:
    if message.send_at is None:
        return _("It waits to be sent.")
    campaign = message.campaign
    if campaign is not None and campaign.status != campaign.Status.RUNNING:
        return _("It waits: its campaign is %(status)s.") % {
            "status": campaign.get_status_display()
        }
    if message.account in pace.paused_accounts():
        return _("It waits: account “%(account)s” is paused.") % {"account": message.account}
    template = message.template
    waits = waits_for(
        message.account,
        template.category,
        message.channels,
        bars_zns=template.bars_zns_at_night,
        since=message.send_at,
    )
    if waits:
        return waits
    if message.send_at <= timezone.now():
        return _("It is sent as soon as a worker gets to it.")
    if message.attempts:
        return _("Nothing left this server. It is tried again at %(time)s on %(day)s.") % _moment(
            message.send_at
        )
    return _("It is to be sent at %(time)s on %(day)s.") % _moment(message.send_at)


def waits_for(
    account: str, category: str, channels: Sequence[str], *, bars_zns: bool, since: datetime
) -> str:
    """Say what messages wait for that have to go by their guards: an hour, or the account's cap.

    Args:
        account: alias of the one that they go by.
        category: of their template.
        channels: of their route.
        bars_zns: whether Zalo bars their template at night.
        since: when they are to go.

    Returns:
        A sentence; "" where they wait for neither, or for a later instant.
    """
    try:
        closed = guards.closed(category, channels, bars_zns=bars_zns)
        spendings = spending.spendings(settings.account(account))
    except ImproperlyConfigured:
        return ""  # A system check tells of it.
    if closed is not None and closed.opens is None:
        return _("It waits, and never goes: %(channels)s have no hour in common.") % {
            "channels": channel_names(channels)
        }
    if closed is not None and closed.opens is not None and since <= closed.opens:
        told = {"channels": enumerated(closed.channels), **_moment(closed.opens)}
        return _("It waits: %(channels)s not before %(time)s on %(day)s.") % told
    spent = [one for one in spendings if not one.left]
    if spent and since <= timezone.now():
        last = max(spent, key=lambda one: one.ends_at)
        told = {"account": account, "cap": grouped(last.cap), **_moment(last.ends_at)}
        sentence = {
            "day": _(
                "It waits: account “%(account)s” has spent its %(cap)s paid messages of the day. "
                "It goes on at %(time)s on %(day)s."
            ),
            "month": _(
                "It waits: account “%(account)s” has spent its %(cap)s paid messages of the "
                "month. It goes on at %(time)s on %(day)s."
            ),
        }[last.period]
        return sentence % told
    return ""


def enumerated(channels: Sequence[str]) -> str:
    """Return the names of channels, of which none comes after another."""
    return ", ".join(str(Channel(channel).label) for channel in channels)


def _reason(message: MessageLog) -> dict[str, str]:
    return {"reason": message.get_reason_display()}


def _accepted(message: MessageLog, events: Sequence[MessageEvent]) -> str:
    if message.is_stripped:
        return _("eTelecom took it. Whether it arrived was never known.")
    if not message.provider_message_id:
        return _("eTelecom took it and gave it no id, so nobody can ask whether it arrived.")
    taken = _("eTelecom took it. Whether it arrived is not known yet.")
    reported = [event.status for event in events if event.source == Source.WEBHOOK]
    if Status.DELIVERED in reported:
        taken = _("A delivery report says that it arrived; eTelecom has not confirmed that yet.")
    elif Status.UNDELIVERED in reported:
        taken = _("A delivery report says that it failed; eTelecom has not confirmed that yet.")
    if message.next_poll_at is None:
        ended = _("eTelecom is not asked any more: there was no report in time.")
        return f"{taken} {ended}"
    return f"{taken} {_asked_next(message.next_poll_at)}"


def _asked_next(when: datetime) -> str:
    if when <= timezone.now():
        return _("It is asked about as soon as the worker gets to it.")
    return _("It is asked about again at %(time)s on %(day)s.") % _moment(when)


def _moment(when: datetime) -> dict[str, str]:
    local = timezone.localtime(when)
    return {"day": date_format(local, "DATE_FORMAT"), "time": date_format(local, "H:i")}


def _delivered(message: MessageLog) -> str:
    way = _("It arrived, by %(channel)s.") % {"channel": _channel(message.channel)}
    if not message.channel:
        way = _("It arrived.")
    if message.status_source == Source.WEBHOOK:
        source = _("A delivery report says so; eTelecom was not asked about it.")
        return f"{way} {source}"
    return way


def _undelivered(message: MessageLog) -> str:
    next_poll_at = _while_it_may_slide(message)
    if next_poll_at is None:
        return _("It did not arrive.")
    failed = _("It did not arrive by %(channel)s. eTelecom may yet try the next channel.") % {
        "channel": _channel(message.channel)
    }
    return f"{failed} {_asked_next(next_poll_at)}"


def _while_it_may_slide(message: MessageLog) -> datetime | None:
    """Return when it is asked about next, while another channel may yet carry it."""
    return message.next_poll_at if has_next_channel(message.channels, message.channel) else None


def _channel(name: str) -> str:
    """Return a channel's name as staff know it, or the provider's where we do not know which."""
    kind = channel_kind(name)
    if kind is not None:
        return str(Channel(kind).label)
    return name or _("A channel that eTelecom does not name")


# --- What happened on the way -------------------------------------------------------------------


def _story(events: Sequence[MessageEvent]) -> list[str]:
    answered = [_told(event) for event in events if event.source != Source.WEBHOOK]
    told = []
    for event in events:
        sentence = _told(event)
        if sentence and event.source == Source.WEBHOOK and sentence not in answered:
            sentence = _("A delivery report says: %(sentence)s") % {"sentence": sentence}
        told.append(sentence)
    # What is said twice is read once.
    return list(dict.fromkeys(filter(None, told)))


def _told(event: MessageEvent) -> str:
    """Return what an event says of the way; "" where it says nothing of it."""
    if event.reason == Reason.AMBIGUOUS:
        return _("Another message has the same id at eTelecom: the answer counts for none.")
    if event.status == Status.UNDELIVERED:
        channel = {"channel": _channel(event.channel), "why": _why(event)}
        return _("%(channel)s failed. %(why)s") % channel
    if event.status == Status.DELIVERED:
        return _("%(channel)s delivered it.") % {"channel": _channel(event.channel)}
    if event.source == Source.POLL and not event.status:
        return _unanswered(event)
    return ""


def _unanswered(event: MessageEvent) -> str:
    words = event.provider_detail or event.get_reason_display() or event.provider_status
    if not words:
        # Erased by stripping.
        return _("Asked what became of it, eTelecom gave no answer that says so.")
    return _("Asked what became of it, eTelecom gave no answer that says so: %(words)s") % {
        "words": words
    }


def _why(event: MessageEvent) -> str:
    if not event.error_code:
        return _("eTelecom gave no reason.")
    error = _zns_error(event.channel, event.error_code)
    if error is None:
        return _("Error %(code)s; its meaning is not published.") % {"code": event.error_code}
    return _("Error %(code)s: %(meaning)s.") % {
        "code": event.error_code,
        "meaning": _(error.meaning) if error.meaning else WORDS_OF_GROUP[error.group],
    }


def _zns_error(channel: str, code: str) -> ZNSError | None:
    """Return what is known of a code; those of SMS and calls are not published."""
    if channel_kind(channel) in (ChannelKind.SMS, ChannelKind.CALL):
        return None
    return ZNS_ERRORS.get(_number(code))


def _number(text: str) -> int:
    """Return the number that the text is, or one that no table of the provider's has."""
    try:
        return int(text)
    except ValueError:
        return sys.maxsize


# --- What it cost, what to do -------------------------------------------------------------------


def _cost(message: MessageLog) -> str:
    if message.paid_messages is None:
        return ""
    cost = ngettext("%(count)d paid message", "%(count)d paid messages", message.paid_messages) % {
        "count": message.paid_messages
    }
    network = network_name(message.network)
    return f"{cost}, {network}" if network else cost


def network_name(told: str) -> str:
    """Return the network as people call it, and the provider's number where nobody published it."""
    return NETWORKS.get(_number(told), told)


def _advice(message: MessageLog) -> list[str]:
    if message.is_stripped:
        return [str(STRIPPED)]
    match message.status:
        case Status.ACCEPTED if not message.provider_message_id:
            return [str(ASK_CUSTOMER)]
        case Status.ACCEPTED if message.next_poll_at is None:
            return [str(CALL_PROVIDER), str(ASK_CUSTOMER)]
        case Status.ACCEPTED:
            return [_("Ask eTelecom now, or come back later.")]
        case Status.UNDELIVERED:
            return _after_failure(message)
        case Status.REJECTED:
            return [str(ADVICE_BY_REASON.get(message.reason, CALL_PROVIDER))]
        case Status.NOT_SENT:
            again = _("Nothing went out, so sending it again cannot send it twice.")
            # What a guard has stopped it stops once more, unless somebody sees to it.
            first = ADVICE_BY_REASON.get(message.reason)
            return [str(first), again] if first else [again]
        case Status.CANCELLED:
            return [_("Send it again if it is wanted after all.")]
        case Status.UNKNOWN if message.provider_message_id:
            return [_("Ask eTelecom now."), str(ASK_CUSTOMER)]
        case Status.UNKNOWN:
            return [str(ASK_CUSTOMER)]
    return []


def _after_failure(message: MessageLog) -> list[str]:
    if _while_it_may_slide(message) is not None:
        return [_("Nothing yet: eTelecom tries the next channel by itself. Ask it now, or wait.")]
    error = _zns_error(message.channel, message.error_code)
    advice = [str(ADVICE_BY_GROUP[error.group])] if error else []
    if len(message.channels) == 1:
        advice.append(_("Send it again by a route with another channel."))
    return advice or [_("Check the number with the customer."), str(CALL_PROVIDER)]


def _steps(message: MessageLog) -> list[Step]:
    steps: list[Step] = []
    if message.is_stripped:
        return steps
    if message.provider_message_id:
        steps.append(Step.REFRESH)
    if message.status == Status.QUEUED:
        steps.append(Step.CANCEL)
    elif message.status != Status.SENDING:
        steps.append(Step.RESEND)
    return steps


STRIPPED = gettext_lazy(
    "Its recipient, its parameters and the provider's words were erased, by retention or on "
    "request. To reach the customer, send a new message."
)
ASK_CUSTOMER = gettext_lazy(
    "Ask the customer before sending it again: the first one may have arrived."
)
CALL_PROVIDER = gettext_lazy("Call eTelecom, and give them their id of the message.")

ADVICE_BY_REASON: dict[str, object] = {
    Reason.PHONE_NUMBER: gettext_lazy("Check the number with the customer and send it again."),
    Reason.PARAMETER: gettext_lazy(
        "Compare the parameters with what was registered with eTelecom, and send it again."
    ),
    Reason.OUT_OF_MESSAGES: gettext_lazy("Top up the account, then send it again."),
    Reason.CREDENTIALS: gettext_lazy(
        "Whoever runs this site has to correct the account's user name or password."
    ),
    Reason.ADDRESS: gettext_lazy("Have eTelecom put this server's address on its list."),
    Reason.TEMPLATE: gettext_lazy(
        "Compare the template's code with the one that eTelecom gave, and send it again."
    ),
    Reason.ROUTE: gettext_lazy("Have eTelecom set up the routing of this template."),
    Reason.CHANNEL: gettext_lazy(
        "Have eTelecom set up the channel, or send it again by a route without it."
    ),
    Reason.SUPPRESSED: gettext_lazy(
        "See on the suppression list why the number is there; staff can take it off."
    ),
    Reason.NO_CONSENT: gettext_lazy(
        "Record the person's consent, with where it was given, before advertising to them."
    ),
    Reason.RECIPIENT_LIMIT: gettext_lazy("Send it again tomorrow, if it is still worth it."),
}

WORDS_OF_GROUP = {
    ErrorGroup.RECIPIENT: gettext_lazy("this person cannot be reached on Zalo"),
    ErrorGroup.CONTENT: gettext_lazy("Zalo does not take the content"),
    ErrorGroup.QUOTA: gettext_lazy("a quota or a balance at Zalo is used up"),
    ErrorGroup.TIME: gettext_lazy("Zalo does not let this template out at night"),
    ErrorGroup.TEMPLATE: gettext_lazy("Zalo has stopped the template or the account behind it"),
    ErrorGroup.UNKNOWN: gettext_lazy("Zalo names no cause"),
}

ADVICE_BY_GROUP = {
    ErrorGroup.RECIPIENT: gettext_lazy(
        "Check the number with the customer, or send it again by a route with SMS."
    ),
    ErrorGroup.CONTENT: gettext_lazy(
        "Compare the parameters with what was registered, and send it again."
    ),
    ErrorGroup.QUOTA: gettext_lazy("Top up or wait for the quota, or send it again by SMS."),
    ErrorGroup.TIME: gettext_lazy(
        "Wait for the morning, after 06:00, or send it again by SMS, which is paid for."
    ),
    ErrorGroup.TEMPLATE: CALL_PROVIDER,
    ErrorGroup.UNKNOWN: CALL_PROVIDER,
}
"""What helps after each kind of ZNS error; the codes are Zalo's own."""
