"""What the shop's staff find in the admin on a working day: one of everything that it can show."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from django_etelecom.models import (
    AccountState,
    Campaign,
    Consent,
    DayTally,
    MessageLog,
    RouteRule,
    Suppression,
    WaitTally,
)
from django_etelecom.models.messages import Status
from django_etelecom.models.tallies import bucket_of, day_of
from django_etelecom.services import (
    load_parts,
    queue_campaign,
    record_consent,
    refresh_status,
    resend_message,
    send_message,
    suppress_number,
)
from django_etelecom.simulator import Outcome
from django_etelecom.uploads import begin_upload
from django_etelecom.worker import Worker

CUSTOMERS = ["Nguyễn Thị Lan", "Trần Văn Hùng", "Lê Thị Mai", "Phạm Quốc Dũng", "Võ Thị Hoa"]
GOODS = [("Trà sen Tây Hồ", 399_000), ("Ấm gốm Bát Tràng", 260_000), ("Kẹo lạc", 40_000)]

HOSTILE = {"customer_name": "</bdi><img src=x onerror=a()>", "order_code": "<script>a()</script>"}
"""What a customer might call themselves; the console complains if any of it runs."""

MOST_ROWS = 40
"""Of the campaigns, to the same customers."""

OUTCOMES = [
    Outcome.DELIVERED_AFTER_FAILURE,
    Outcome.ACCEPTED,
    Outcome.UNDELIVERED,
    Outcome.REFUSED_PHONE_NUMBER,
    Outcome.BAD_GATEWAY,
]
"""Of the orders' confirmations, each asked about twice."""

SHEET = """\
Số điện thoại,Customer name,Product,Price,{last_day},Ghi chú
0912 345 601,Lan,Trà sen Tây Hồ,399000,31/12/2026,
0912 345 602,Hùng,Trà sen Tây Hồ,399000,31/12/2026,khách quen
912345603,Mai,Trà sen Tây Hồ,399000,31/12/2026,Excel đã bỏ số 0
0912 345 604,Dũng,Ấm gốm Bát Tràng,260000,31/12/2026,
0912 345 605,Hoa,Ấm gốm Bát Tràng,hai trăm nghìn,31/12/2026,giá sai
0912 345,Nam,Trà Shan Tuyết,350000,31/12/2026,số thiếu
0912 345 601,Lan,Trà Shan Tuyết,350000,31/12/2026,số của dòng 2
"""


@dataclass(frozen=True, slots=True)
class Stock:
    """What was put on record."""

    messages: list[MessageLog]
    """One for each of `OUTCOMES`."""
    hostile: MessageLog
    matching: Campaign
    checking: Campaign
    running: Campaign
    finished: Campaign
    route: RouteRule
    account: AccountState
    """It is paused."""
    suppression: Suppression
    consent: Consent


def put_in(staff: Any) -> Stock:
    """Have everything happen; the shop is seeded and its account sends to a simulator."""
    for position in range(MOST_ROWS):
        record_consent(_number(position), source="Order form, box ticked")
    hostile = _confirmed(1, staff, **HOSTILE)
    finished = _campaign("Khách quen tháng 11", 12, staff)
    Worker().run_once()
    running = _campaign("Tết", MOST_ROWS, staff)
    _send_some(20)
    matching = _upload("khach-le.csv", "Hạn chót", staff)
    checking = _upload("khach-hang.csv", "Last day", staff)
    messages = [_confirmed(position, staff) for position in range(len(OUTCOMES))]
    resend_message(messages[2], sent_by=staff)
    send_message("login_otp", Outcome.REFUSED_OUT_OF_MESSAGES.phone_number, {"otp": "482913"})
    return Stock(
        messages=messages,
        hostile=hostile,
        matching=matching,
        checking=checking,
        running=running,
        finished=finished,
        route=RouteRule.objects.get(is_default=True),
        account=AccountState.objects.get(),
        suppression=suppress_number("0912 345 609", note="Gọi điện ngày 24/12", by=staff),
        consent=record_consent("0912 345 601", source="Phiếu khách hàng", by=staff),
    )


def put_in_past_days() -> None:
    """Put on the dashboard what was sent in the month before today, fewer on Sundays."""
    today = day_of(timezone.now())
    days = []
    waits = []
    for ago in range(1, 30):
        day = today - timedelta(days=ago)
        orders = 40 + ago * 7 % 23 - 15 * (day.isoweekday() == 7)
        logins = 2 * orders + ago * 5 % 17
        for code, channel, network, status, number, paid in [
            ("order_confirmation", "ZNS", "", Status.DELIVERED, orders, orders),
            ("order_confirmation", "SMS", "3", Status.DELIVERED, orders // 4, orders // 2),
            ("order_confirmation", "SMS", "1", Status.UNDELIVERED, ago % 4, 0),
            ("login_otp", "SMS", "3", Status.DELIVERED, logins // 2, logins // 2),
            ("login_otp", "SMS", "2", Status.DELIVERED, logins // 3, logins // 3),
            ("login_otp", "", "", Status.REJECTED, ago % 3, 0),
            ("login_otp", "", "", Status.UNKNOWN, ago % 9 == 0, 0),
        ]:
            days.append(
                DayTally(
                    day=day,
                    account="default",
                    template_code=code,
                    channel=channel,
                    network=network,
                    status=status,
                    number=number,
                    paid_messages=paid,
                )
            )
        for seconds, number in [(2, orders), (5, logins // 2), (45, logins // 3), (300, 2)]:
            bucket = bucket_of(timedelta(seconds=seconds))
            waits.append(WaitTally(day=day, bucket=bucket, number=number))
    DayTally.objects.bulk_create(days)
    WaitTally.objects.bulk_create(waits)


def _send_some(count: int) -> None:
    """Work until about so many of the queued messages are sent."""
    worker = Worker(concurrency=2)
    sent = 0
    for turn in worker.run():
        sent += turn.sent
        if sent >= count:
            worker.stop()


def _confirmed(position: int, staff: Any, **params: str) -> MessageLog:
    message = send_message(
        "order_confirmation",
        OUTCOMES[position].phone_number,
        {
            "customer_name": CUSTOMERS[position],
            "order_code": f"DH-{position + 12:05}",
            "amount": GOODS[position % len(GOODS)][1],
            "delivery_date": "24/12/2026",
            **params,
        },
        sent_by=staff,
    )
    if message.provider_message_id:
        refresh_status(refresh_status(message))
    return message


def _number(position: int) -> str:
    return f"849123456{position:02}"


def _campaign(name: str, count: int, staff: Any) -> Campaign:
    rows = [
        {
            "to": _number(position),
            "customer_name": CUSTOMERS[position % len(CUSTOMERS)],
            "product": GOODS[position % len(GOODS)][0],
            "price": GOODS[position % len(GOODS)][1],
            "last_day": "31/12/2026",
        }
        for position in range(count)
    ]
    return queue_campaign("promotion", rows, name=name, sent_by=staff)


def _upload(file_name: str, last_day: str, staff: Any) -> Campaign:
    """Upload the sheet; a heading that is no parameter's name leaves it to be matched."""
    sheet = io.BytesIO(SHEET.format(last_day=last_day).encode())
    campaign = begin_upload("promotion", sheet, file_name, sent_by=staff)
    if campaign.status == Campaign.Status.LOADING:
        load_parts(campaign, patience=60)
    return campaign
