"""The admin in Vietnamese."""

from django.utils import translation

from django_etelecom.admin.progress import grouped


def test_numbers__are_grouped_though_django_knows_no_grouping_of_vietnamese():
    with translation.override("vi"):
        assert grouped(1234567) == "1.234.567"
