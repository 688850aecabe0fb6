"""Route rules: which channels a message tries, in which order."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _

from ..redaction import clean_text


class Channel(models.TextChoices):
    """The provider's numbers for its channels."""

    ZNS = "1", _("ZNS (Zalo)")
    CALL = "2", _("Voice call")
    SMS = "3", _("SMS")


def validate_channels(channels: object) -> None:
    """Accept a list of one to three different channel numbers.

    Raises:
        ValidationError: it is anything else.
    """
    if not isinstance(channels, list) or not channels:
        raise ValidationError(_('Choose at least one channel, as a list such as ["1", "3"].'))
    unknown = [channel for channel in channels if channel not in Channel.values]
    if unknown:
        raise ValidationError(
            _('%(channel)s is not a channel; channels are "1" (ZNS), "2" (call) and "3" (SMS).'),
            params={"channel": repr(unknown[0])[:40]},
        )
    if len(set(channels)) < len(channels):
        raise ValidationError(_("Each channel can be tried once only."))


def channel_names(channels: object) -> str:
    """Return channels as a person reads them, such as `ZNS (Zalo) → SMS`.

    What a script has stored past the validation is shown as it is.
    """
    if not isinstance(channels, list | tuple):
        return str(channels)
    labels = {str(number): str(label) for number, label in Channel.choices}
    return " → ".join(labels.get(str(channel), str(channel)) for channel in channels)


def channels_at_night(channels: object) -> list[str]:
    """Return where a message slides while Zalo lets no template out: the channels after ZNS.

    Source: Zalo's error -133, a template is not allowed from 22:00 to 06:00.
    """
    if not isinstance(channels, list | tuple) or Channel.ZNS not in channels:
        return []
    return [str(channel) for channel in channels[channels.index(Channel.ZNS) + 1 :]]


class RouteRule(models.Model):
    """An ordered list of channels; where one fails the provider slides to the next."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    channels = models.JSONField(
        _("channels"),
        validators=[validate_channels],
        help_text=_("In the order in which they are tried."),
    )
    is_default = models.BooleanField(
        _("default"),
        default=False,
        help_text=_("Used by templates that have no route of their own. There is one default."),
    )
    # A unique column that is NULL for all but the default rule: MariaDB has no conditional
    # unique constraint.
    only_default = models.GeneratedField(
        expression=models.Case(
            models.When(is_default=True, then=models.Value(1)),
            default=None,
            output_field=models.SmallIntegerField(),
        ),
        output_field=models.SmallIntegerField(null=True),
        db_persist=True,
        editable=False,
    )

    class Meta:
        verbose_name = _("route rule")
        verbose_name_plural = _("route rules")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["only_default"], name="etelecom_route_one_default")
        ]

    def __str__(self) -> str:
        return clean_text(self.name, 150)

    def save(self, **kwargs: Any) -> None:
        """Save the rule; a new default takes the place of the old one."""
        database = kwargs.setdefault("using", router.db_for_write(type(self), instance=self))
        with transaction.atomic(using=database, savepoint=False):
            if self.is_default:
                others = type(self).objects.using(database).exclude(pk=self.pk)
                others.filter(is_default=True).update(is_default=False)
            super().save(**kwargs)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        # A second default is no fault: saving it ends the first.
        super().validate_constraints(exclude={*(exclude or ()), "only_default"})
