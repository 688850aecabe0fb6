"""Templates as the provider registered them, and the schema of their parameters."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..patterns import fault_of_cost
from ..redaction import clean_text
from ..schema import Kind, Parameter, Schema, validate_name
from .routes import RouteRule


@dataclasses.dataclass(frozen=True, slots=True)
class TemplatePlan:
    """What one send needs to know of its template."""

    pk: int
    code: str
    account: str
    category: str
    text: str
    is_active: bool
    channels: tuple[str, ...]
    """Of the template's own route, else of the default route; empty where there is neither."""
    has_own_route: bool
    bars_zns_at_night: bool
    schema: Schema


class TemplateQuerySet(models.QuerySet["MessageTemplate"]):
    def plan(self, which: models.Q) -> TemplatePlan | None:
        """Read the template that `which` finds with its parameters and its route.

        One query, a second one where the default route is needed. Returns None where there is no
        such template.
        """
        rows = sorted(_plan_rows().filter(which).using(self.db), key=lambda row: row[:2])
        if not rows:
            return None
        pk, code, account, category, text, is_active, bars_zns, channels = rows[0][2:10]
        has_own_route = channels is not None
        if not has_own_route:
            channels = next(iter(_default_channels().using(self.db)), ())
        return TemplatePlan(
            pk=pk,
            code=code,
            account=account,
            category=category,
            text=text,
            is_active=is_active,
            channels=tuple(channels) if isinstance(channels, list) else (),
            has_own_route=has_own_route,
            bars_zns_at_night=bars_zns,
            schema=Schema(Parameter(*row[10:]) for row in rows if row[0] is not None),
        )


# Every message reads its template. Building these takes longer than running them, so each is built
# once; filtering makes a copy.
@functools.cache
def _plan_rows() -> models.QuerySet[MessageTemplate, tuple[Any, ...]]:
    return MessageTemplate.objects.order_by().values_list(
        "parameters__position",
        "parameters__pk",
        "pk",
        "code",
        "account",
        "category",
        "text",
        "is_active",
        "bars_zns_at_night",
        "route__channels",
        *(f"parameters__{field.name}" for field in dataclasses.fields(Parameter)),
    )


@functools.cache
def _default_channels() -> models.QuerySet[RouteRule, list[str]]:
    return RouteRule.objects.filter(is_default=True).order_by().values_list("channels", flat=True)


class MessageTemplate(models.Model):
    """A message text registered with the provider under a code."""

    class Category(models.TextChoices):
        OTP = "otp", _("one-time password")
        TRANSACTIONAL = "transactional", _("transactional")
        ADVERTISING = "advertising", _("advertising")

    code = models.CharField(
        _("code"),
        max_length=100,
        unique=True,
        help_text=_("As eTelecom gave it when the template was registered."),
    )
    name = models.CharField(_("name"), max_length=200, blank=True)
    account = models.CharField(
        _("account"),
        max_length=50,
        default="default",
        help_text=_("One of the accounts in the site's settings."),
    )
    route = models.ForeignKey(
        RouteRule,
        verbose_name=_("route"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="templates",
        help_text=_("Empty: the default route."),
    )
    category = models.CharField(
        _("category"), max_length=20, choices=Category, default=Category.TRANSACTIONAL
    )
    bars_zns_at_night = models.BooleanField(
        _("no ZNS at night"),
        default=False,
        help_text=_("Zalo does not send it from 22:00 to 06:00: then it waits for the morning."),
    )
    text = models.TextField(
        _("text"),
        blank=True,
        help_text=_(
            "The registered text, for previews, with a parameter's name in braces where its "
            "value goes: Dear {customer_name}, …"
        ),
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Nothing is sent by a template that is not active.")
    )

    objects = TemplateQuerySet.as_manager()

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["code"]

    def __str__(self) -> str:
        return clean_text(f"{self.name} ({self.code})" if self.name else self.code, 350)


def validate_pattern(pattern: str) -> None:
    """Accept a regular expression that Python can compile.

    Raises:
        ValidationError: it cannot.
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        raise ValidationError(
            _("This is not a regular expression: %(error)s."), params={"error": str(error)}
        ) from error


class TemplateParameter(models.Model):
    """One variable of a template, and what its values may be."""

    template = models.ForeignKey(
        MessageTemplate,
        verbose_name=_("template"),
        on_delete=models.CASCADE,
        related_name="parameters",
    )
    name = models.CharField(
        _("name"),
        max_length=50,
        validators=[validate_name],
        help_text=_("As the provider spells it."),
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, default=Kind.TEXT)
    required = models.BooleanField(_("required"), default=True)
    max_length = models.PositiveIntegerField(
        _("longest value"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("In characters. Empty: the default of its kind."),
    )
    pattern = models.CharField(
        _("pattern"),
        max_length=200,
        blank=True,
        validators=[validate_pattern],
        help_text=_("A regular expression that the whole value must match."),
    )
    secret = models.BooleanField(
        _("secret"),
        default=False,
        help_text=_("Never stored or shown. A one-time password always is."),
    )
    example = models.CharField(_("example"), max_length=200, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("parameter")
        verbose_name_plural = _("parameters")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["template", "name"], name="etelecom_parameter_name_unique"
            )
        ]

    def __str__(self) -> str:
        return clean_text(self.name, 100)

    def clean(self) -> None:
        """Refuse a pattern that could hold up whoever sends.

        Raises:
            ValidationError: keyed `pattern`.
        """
        super().clean()
        # Where one of these is faulty itself, that is told alone.
        if self.kind in Kind.values and isinstance(self.max_length, int | None):
            shape = Parameter(self.name, Kind(self.kind), max_length=self.max_length)
            if fault := fault_of_cost(self.pattern, shape.limit):
                raise ValidationError({"pattern": fault})
