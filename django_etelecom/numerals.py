"""Numbers as people of the language of the moment write them."""

from django.utils import numberformat
from django.utils.formats import get_format


def grouped(number: int) -> str:
    """Return a number as people of this language write it: 200,000."""
    return numberformat.format(
        number,
        get_format("DECIMAL_SEPARATOR"),
        decimal_pos=0,
        # Of Vietnamese Django knows the separator but not how many digits it groups.
        grouping=get_format("NUMBER_GROUPING") or 3,
        thousand_sep=get_format("THOUSAND_SEPARATOR"),
        force_grouping=True,
    )
