"""What the example needs in its database. What is there already stays as a person left it."""

import secrets
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command

from django_etelecom.models import Channel, MessageTemplate, RouteRule
from django_etelecom.schema import Kind
from django_etelecom.services import record_consent

from .models import Product

STAFF = "demo"

PRODUCTS = [
    ("Trà sen Tây Hồ", "Trà xanh ướp gạo sen, hộp 100 g", 450_000),
    ("Trà Thái Nguyên", "Trà móc câu Tân Cương, gói 200 g", 150_000),
    ("Trà Shan Tuyết", "Trà cổ thụ Hà Giang, bánh 250 g", 380_000),
    ("Ấm gốm Bát Tràng", "Men rạn, dung tích 300 ml", 290_000),
    ("Kẹo lạc", "Giòn, ít ngọt, hộp 250 g", 45_000),
]

ROUTES = [
    ("ZNS, then SMS", [Channel.ZNS, Channel.SMS]),
    ("SMS only", [Channel.SMS]),
    ("ZNS, call, SMS", [Channel.ZNS, Channel.CALL, Channel.SMS]),
]
DEFAULT_ROUTE = "ZNS, then SMS"

Category = MessageTemplate.Category

TEMPLATES: list[dict[str, Any]] = [
    {
        "code": "order_confirmation",
        "name": "Xác nhận đơn hàng",
        "category": Category.TRANSACTIONAL,
        "route": None,
        "text": (
            "Chào {customer_name}, đơn hàng {order_code} trị giá {amount} đ sẽ được giao ngày "
            "{delivery_date}. Cảm ơn bạn đã mua trà!"
        ),
        "parameters": [
            {"name": "customer_name", "max_length": 30, "example": "Nguyễn Thị Lan"},
            {"name": "order_code", "max_length": 30, "example": "DH-00012"},
            {"name": "amount", "kind": Kind.MONEY, "example": "450000"},
            {"name": "delivery_date", "kind": Kind.DATE, "example": "24/12/2026"},
        ],
    },
    {
        "code": "login_otp",
        "name": "Mã đăng nhập",
        "category": Category.OTP,
        "route": "ZNS, call, SMS",
        "text": "{otp} là mã đăng nhập của bạn, có hiệu lực trong 5 phút. Đừng đưa mã cho ai.",
        "parameters": [
            {
                "name": "otp",
                "kind": Kind.OTP,
                "secret": True,  # nosec B105  # a flag
                "example": "123456",
            }
        ],
    },
    {
        "code": "promotion",
        "name": "Khuyến mãi",
        "category": Category.ADVERTISING,
        "route": "SMS only",
        "text": (
            "[QC] {customer_name} ơi, {product} giảm còn {price} đ đến hết ngày {last_day}. "
            "Từ chối: soạn TC gửi 0900000000."
        ),
        "parameters": [
            {"name": "customer_name", "max_length": 30, "example": "Lan"},
            {"name": "product", "example": "Trà sen Tây Hồ"},
            {"name": "price", "kind": Kind.MONEY, "example": "399000"},
            {"name": "last_day", "kind": Kind.DATE, "example": "31/12/2026"},
        ],
    },
]

WANT_NEWS = [f"8491234560{number}" for number in range(1, 7)]
"""Customers of `campaign.csv` who agreed to advertising: all but the last one."""
GIVEN_AT = datetime(2024, 6, 1, tzinfo=UTC)


def prepare_database() -> None:
    """Migrate, and seed."""
    call_command("migrate", interactive=False, verbosity=0)
    seed()


def seed() -> None:
    """Add what is missing of products, routes, templates and consents."""
    for name, description, price in PRODUCTS:
        Product.objects.get_or_create(
            name=name, defaults={"description": description, "price": price}
        )
    for name, channels in ROUTES:
        is_default = (
            name == DEFAULT_ROUTE and not RouteRule.objects.filter(is_default=True).exists()
        )
        RouteRule.objects.get_or_create(
            name=name, defaults={"channels": channels, "is_default": is_default}
        )
    for fields in TEMPLATES:
        _add_template(**fields)
    for number in WANT_NEWS:
        # The same one once more is no second, and one that was withdrawn stays so.
        record_consent(number, source="Order form, box ticked", given_at=GIVEN_AT)


def _add_template(
    *, code: str, route: str | None, parameters: list[dict[str, Any]], **fields: Any
) -> None:
    template, is_new = MessageTemplate.objects.get_or_create(
        code=code, defaults={"route": RouteRule.objects.filter(name=route).first(), **fields}
    )
    if is_new:
        for position, parameter in enumerate(parameters):
            template.parameters.create(position=position, **parameter)


def give_staff_login() -> str:
    """Make the staff login if it is missing, give it a new password and return that."""
    staff, _ = get_user_model().objects.get_or_create(username=STAFF)
    password = secrets.token_urlsafe(9)
    staff.is_staff = staff.is_superuser = staff.is_active = True
    staff.set_password(password)
    staff.save()
    return password
