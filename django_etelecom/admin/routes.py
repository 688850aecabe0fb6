"""Route rules, with their channels chosen by name."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import Channel, RouteRule
from ..models.routes import channel_names
from .lookups import AskableLists

PLACES = ("first_channel", "second_channel", "third_channel")


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


@admin.register(RouteRule)
class RouteRuleAdmin(AskableLists):
    form = RouteRuleForm
    readonly_fields = ["channels_in_words"]
    list_display = ["name", "channels_in_words", "is_default"]
    search_fields = ["name"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        # Who may only look gets no form, and so no places to choose.
        may_choose = obj is None or self.has_change_permission(request, obj)
        return [
            (None, {"fields": ["name", "is_default"]}),
            (_("Channels"), {"fields": PLACES if may_choose else ["channels_in_words"]}),
        ]

    @admin.display(description=_("channels"))
    def channels_in_words(self, rule: RouteRule) -> str:
        return channel_names(rule.channels)
