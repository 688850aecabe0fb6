"""Route rules: their channels chosen by name, what they come to at night, and who uses them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..hours import all_open
from ..models import Channel, MessageTemplate, RouteRule
from ..models.routes import channel_names, channels_at_night
from .lookups import AskableLists, page_url

PLACES = ("first_channel", "second_channel", "third_channel")

MOST_NAMED = 50
"""Templates of a rule that its page names."""


class RouteRuleForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    """A rule whose ordered list of channels is chosen place by place."""

    first_channel = forms.ChoiceField(
        label=_("First channel"), choices=[("", _("Choose a channel")), *Channel.choices]
    )
    second_channel = forms.ChoiceField(
        label=_("Second channel"),
        choices=[("", _("None")), *Channel.choices],
        required=False,
        help_text=_("Tried where the first one fails."),
    )
    third_channel = forms.ChoiceField(
        label=_("Third channel"),
        choices=[("", _("None")), *Channel.choices],
        required=False,
        help_text=_("Tried where the first two fail."),
    )

    class Meta:
        model = RouteRule
        fields = ("name", "is_default")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels = self.instance.channels
        # A script may have stored anything; what cannot be chosen is shown as not chosen.
        for place, channel in zip(
            PLACES, channels if isinstance(channels, list) else [], strict=False
        ):
            self.initial.setdefault(place, channel)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        channels: list[str] = []
        for place, earlier in zip(PLACES, (None, *PLACES), strict=False):
            channel = cleaned.get(place)
            if channel and channel in channels:
                self.add_error(place, _("Each channel can be tried once only."))
            elif channel and earlier and not cleaned.get(earlier) and earlier not in self.errors:
                self.add_error(earlier, _("Choose this one, or none after it."))
            elif channel:
                channels.append(channel)
        self.instance.channels = channels
        return cleaned


def night_warning(channels: object) -> str:
    """Return what becomes of a message while Zalo lets no template out; "" where nothing does."""
    later = channels_at_night(channels)
    if not later:
        return ""
    sentences = [
        gettext(
            "From 22:00 to 06:00 Zalo may not let a ZNS template out (error -133). The message "
            "then slides on at once to: %(channels)s."
        )
        % {"channels": channel_names(later)}
    ]
    if Channel.SMS in later:
        sentences.append(gettext("Each SMS is paid."))
    if Channel.CALL in later:
        sentences.append(gettext("A call rings at night."))
    sentences.append(
        gettext(
            "Where that is not wanted, mark the template as “no ZNS at night”: its messages then "
            "wait for 06:00. Or send by a rule of ZNS alone."
        )
    )
    return " ".join(sentences)


def hours_in_words(channels: object) -> list[str]:
    """Tell for each category that has hours when its messages go by these channels."""
    if not isinstance(channels, list):
        return []
    sentences = []
    for category, label in MessageTemplate.Category.choices:
        try:
            hours = settings.guards(category).hours
        except ImproperlyConfigured:
            return []  # A system check tells of it.
        bounded = [str(channel) for channel in channels if str(channel) in hours]
        if not bounded:
            continue
        if all_open(hours, bounded, timezone.now()) is None:
            sentence = gettext("%(category)s: never, for there is no hour at which all are open.")
        else:
            sentence = gettext("%(category)s: only while all of these are open: %(hours)s.")
        told = ", ".join(
            f"{Channel(channel).label} {hours[channel].opens:%H:%M}–{hours[channel].closes:%H:%M}"
            for channel in bounded
        )
        sentences.append(sentence % {"category": capfirst(str(label)), "hours": told})
    return sentences


@admin.register(RouteRule)
class RouteRuleAdmin(AskableLists):
    form = RouteRuleForm
    readonly_fields = ["channels_in_order", "hours", "at_night", "used_by"]
    list_display = ["name", "channels_in_order", "is_default", "number_of_templates"]
    search_fields = ["name"]
    # Told, since the count of its templates makes Django forget the model's own.
    ordering = ["name"]

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(number_of_templates=Count("templates"))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [
                (None, {"fields": ["name", "is_default"]}),
                (_("Channels"), {"fields": PLACES}),
            ]
        # Who may only look gets no form, and so no places to choose.
        places = PLACES if self.has_change_permission(request, obj) else ()
        hours = ["hours"] if hours_in_words(obj.channels) else []
        night = ["at_night"] if channels_at_night(obj.channels) else []
        return [
            (None, {"fields": ["name", "is_default"]}),
            (_("Channels"), {"fields": [*places, "channels_in_order", *hours, *night]}),
            (_("Where it is used"), {"fields": ["used_by"]}),
        ]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if warning := night_warning(obj.channels):
            messages.warning(request, warning)

    @admin.display(description=_("channels"))
    def channels_in_order(self, rule: RouteRule) -> SafeString:
        if not isinstance(rule.channels, list):
            return format_html("<bdi>{}</bdi>", channel_names(rule.channels))
        names = ((channel_names([channel]),) for channel in rule.channels)
        items = format_html_join("", "<li><bdi>{}</bdi></li>", names)
        return format_html('<ol class="etelecom-route">{}</ol>', items)

    @admin.display(description=_("hours"))
    def hours(self, rule: RouteRule) -> SafeString:
        items = format_html_join(
            "", "<li>{}</li>", ((one,) for one in hours_in_words(rule.channels))
        )
        return format_html('<ul class="etelecom-used">{}</ul>', items)

    @admin.display(description=_("at night"))
    def at_night(self, rule: RouteRule) -> str:
        return night_warning(rule.channels)

    @admin.display(description=_("templates"), ordering="number_of_templates")
    def number_of_templates(self, rule: Any) -> int:
        number: int = rule.number_of_templates
        return number

    @admin.display(description=_("templates"))
    def used_by(self, rule: Any) -> SafeString:
        """Name the templates of this rule; of the default, tell how many have none of their own."""
        lines: list[str] = [self._line(template) for template in rule.templates.all()[:MOST_NAMED]]
        if rule.number_of_templates > MOST_NAMED:
            listed = page_url(self.admin_site, MessageTemplate, "changelist")
            words = gettext("All %(count)d") % {"count": rule.number_of_templates}
            lines.append(_link(listed and f"{listed}?route__id__exact={rule.pk}", words))
        if rule.is_default:
            lines.append(_routeless())
        if not lines:
            return format_html("{}", gettext("No template uses it."))
        items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
        return format_html('<ul class="etelecom-used">{}</ul>', items)

    def _line(self, template: MessageTemplate) -> SafeString:
        url = page_url(self.admin_site, MessageTemplate, "change", template.pk)
        note = "" if template.is_active else gettext("(not active)")
        return format_html("{} {}", _link(url, format_html("<bdi>{}</bdi>", template)), note)


def _link(url: str, words: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, words) if url else format_html("{}", words)


def _routeless() -> str:
    number = MessageTemplate.objects.filter(route=None).count()
    return ngettext(
        "As the default: %(count)d template that has no route of its own.",
        "As the default: %(count)d templates that have no route of their own.",
        number,
    ) % {"count": number}
