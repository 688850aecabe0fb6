"""The provider's tables."""

import pytest

from django_etelecom.client.codes import (
    NETWORKS,
    ZNS_ERRORS,
    ChannelKind,
    ErrorGroup,
    channel_kind,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, ChannelKind.ZNS) for name in ("ZNS", "zns", "Zalo", "ZaloZNS", " 1 ", "Zalo_ZNS")],
        *[(name, ChannelKind.CALL) for name in ("AutoCall", "auto call", "VOICE", "call", "2")],
        *[(name, ChannelKind.SMS) for name in ("BrandnameSMS", "SMS", "sms", "3")],
        *[(name, None) for name in ("", " ", "SMS, ZNS", "call/sms", "XXXX", "4", "13", "1,3")],
    ],
)
def test_channel_kind(name, kind):
    assert channel_kind(name) is kind


@pytest.mark.parametrize(
    ("group", "codes"),
    [
        (ErrorGroup.RECIPIENT, {-108, -114, -118, -119, -139, -140, -141}),
        (ErrorGroup.CONTENT, {-109, -111, -112, -1121, -1122, -1124, -130, -131, -132}),
        (ErrorGroup.QUOTA, {-115, -137, -144, -1441, -147, -1471}),
        (ErrorGroup.TIME, {-133}),
        (ErrorGroup.TEMPLATE, {-117, -120, -124, -135, -1351, -145, -146}),
        (ErrorGroup.UNKNOWN, {-100}),
    ],
)
def test_zns_errors(group, codes):
    assert {code for code, error in ZNS_ERRORS.items() if error.group is group} == codes


def test_networks():
    assert NETWORKS == {
        0: "foreign",
        1: "MobiFone",
        2: "VinaPhone",
        3: "Viettel",
        11: "Gmobile",
        12: "Vietnamobile",
        14: "iTel",
    }
