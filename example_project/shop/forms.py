"""The shop's forms, and where the faults of a message are shown in them."""

from collections.abc import Mapping

from django import forms
from django.utils.translation import gettext_lazy as _

from django_etelecom.exceptions import InvalidMessage

from .models import Order
from .one_time_codes import DIGITS


class OrderForm(forms.ModelForm):
    # Where a fault of the confirmation belongs; what is not named here is told above the form.
    message_fields = {"to": "phone", "params.customer_name": "name"}

    class Meta:
        model = Order
        fields = ["product", "quantity", "name", "phone"]
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "phone": forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
        }


class PhoneForm(forms.Form):
    message_fields = {"to": "phone"}

    phone = forms.CharField(
        label=_("Phone number"),
        max_length=50,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        min_length=DIGITS,
        max_length=DIGITS,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


def add_message_faults(
    form: forms.BaseForm, error: InvalidMessage, fields: Mapping[str, str]
) -> None:
    """Show each fault of a message beside the form's field that its value came from."""
    for name, sentences in error.message_dict.items():
        form.add_error(fields.get(name), sentences)
