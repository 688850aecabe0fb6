"""Forms of an upload: the sheet itself, which column is which, and the number that is typed in."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..exceptions import InvalidMessage, SendBlocked
from ..models import Campaign, RouteRule
from ..models.routes import channel_names
from ..numerals import grouped
from ..sheets import UnreadableSheet
from ..sheets.reading import MAX_BYTES
from ..uploads import NUMBER, begin_upload, choose_columns
from .forms import TemplateChoiceForm, label, unusable_settings

CONFIRM_ABOVE = 1000
"""Messages; who starts a campaign of more types their number in."""

COLUMN = "columns."

_SEPARATORS = re.compile(r"[\s.,]+")


class BoundedUploadHandler(FileUploadHandler):
    """Lets no more past it than a sheet may have, in one file or in many.

    The rest of it is read from the network and thrown away, so that the page can say so.
    """

    is_too_large = False
    _received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._received += len(raw_data)
        if self._received > MAX_BYTES:
            self.is_too_large = True
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handler."""


def _routes() -> list[tuple[str, str]]:
    rules = RouteRule.objects.order_by("name")
    return [
        ("", _("The template's own, else the default route")),
        *((rule.name, f"{rule}: {channel_names(rule.channels)}") for rule in rules),
    ]


def sheet_field(help_text: Any) -> forms.FileField:
    return forms.FileField(
        label=gettext_lazy("File"),
        help_text=help_text,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
        error_messages={
            "empty": gettext_lazy("The file is empty."),
            "required": gettext_lazy("Choose a file."),
        },
    )


class SheetForm(forms.Form):
    """A form with a sheet, as its field `file`, of a request that `bound_uploads` has bounded."""

    def __init__(self, *args: Any, is_too_large: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_too_large = is_too_large

    def clean(self) -> None:
        if self._is_too_large:
            # What was let go on its way looks as if it had not been chosen.
            self.errors.pop("file", None)
            sentence = _("The file is larger than %(limit)s. Split it into several.")
            self.add_error("file", sentence % {"limit": filesizeformat(MAX_BYTES)})


class UploadForm(SheetForm, TemplateChoiceForm):
    """A sheet of recipients, and what is to be sent to them."""

    file = sheet_field(
        gettext_lazy(
            "CSV or XLSX. The first line names the columns: the number, and the template's "
            "parameters. Nothing is sent before you have checked it."
        )
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("What you call the campaign. Empty: the name of the file."),
        widget=forms.TextInput({"class": "vTextField", "autocomplete": "off"}),
    )
    route = forms.ChoiceField(label=gettext_lazy("Route"), required=False, choices=_routes)
    send_at = forms.DateTimeField(
        label=gettext_lazy("Not sent before"),
        required=False,
        help_text=gettext_lazy("Empty: as soon as you have started it."),
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def begin(self, user: Any) -> Campaign | None:
        """Keep the sheet as a campaign; None: a fault came up, which is told beside its field."""
        typed = self.cleaned_data
        try:
            return begin_upload(
                typed["template"],
                typed["file"].file,
                typed["file"].name,
                name=typed["name"],
                route=typed["route"],
                send_at=typed["send_at"],
                sent_by=user,
            )
        except UnreadableSheet as error:
            self.add_error("file", str(error))
        except InvalidMessage as error:
            add_faults(self, error)
        except SendBlocked as error:
            # What stops all of a campaign is its template's.
            self.add_error("template", str(error))
        except ImproperlyConfigured as error:
            self.add_error(None, unusable_settings(error))
        return None


class ColumnsForm(forms.Form):
    """Which column of a sheet holds the number, and which each parameter."""

    def __init__(self, campaign: Campaign, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        choices = [("", _("None")), *((column, column) for column in campaign.sheet_columns)]
        for name, title, required in self._wanted():
            self.fields[COLUMN + name] = forms.ChoiceField(
                label=title,
                # Which are needed is for the service to say.
                required=False,
                choices=choices,
                initial=campaign.columns.get(name, ""),
                help_text="" if required else _("Optional."),
            )

    def _wanted(self) -> list[tuple[str, str, bool]]:
        parameters = self.campaign.template.parameters.values_list("name", "required")
        return [
            (NUMBER, _("Phone number"), True),
            *((name, label(name), required) for name, required in parameters),
        ]

    def choose(self) -> bool:
        """Have the campaign loaded by these columns; False: a fault came up."""
        chosen = {name.removeprefix(COLUMN): column for name, column in self.cleaned_data.items()}
        try:
            choose_columns(self.campaign, chosen)
        except InvalidMessage as error:
            add_faults(self, error)
        except ImproperlyConfigured as error:
            self.add_error(None, unusable_settings(error))
        else:
            return True
        return False


class ConfirmForm(forms.Form):
    """Asks who starts a large campaign to type in how many messages it has."""

    number = forms.CharField(
        label=gettext_lazy("Number of messages"),
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Type in how many messages will go.")},
    )

    def __init__(self, campaign: Campaign, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._messages = campaign.queued_rows
        self.fields["number"].help_text = _("Type in how many messages will go: %(count)s.") % {
            "count": grouped(campaign.queued_rows)
        }

    def clean_number(self) -> str:
        typed: str = self.cleaned_data["number"]
        if _SEPARATORS.sub("", typed) != str(self._messages):
            raise forms.ValidationError(_("This is not the number of messages that will go."))
        return typed


def needs_number(campaign: Campaign) -> bool:
    """Whether the campaign is so large that its number of messages has to be typed in."""
    return campaign.queued_rows > CONFIRM_ABOVE


def add_faults(form: forms.BaseForm, error: InvalidMessage) -> None:
    """Tell each fault beside the field that it is about, others on top."""
    for name, sentences in error.message_dict.items():
        form.add_error(name if name in form.fields else None, sentences)


def bound_uploads(request: HttpRequest) -> None:
    """Bound the files of a request whose body was not read yet."""
    request.upload_handlers.insert(0, BoundedUploadHandler(request))


def was_too_large(request: HttpRequest) -> bool:
    """Whether a file of the request was thrown away for its size."""
    return any(
        isinstance(handler, BoundedUploadHandler) and handler.is_too_large
        for handler in request.upload_handlers
    )
