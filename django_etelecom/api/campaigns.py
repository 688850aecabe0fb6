"""Campaigns: made of rows, followed, paused, resumed, cancelled, and tried again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, ClassVar, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.response import Response

from .. import phone
from ..campaigns import progress
from ..client.opaque import Opaque, shielded
from ..exceptions import InvalidMessage
from ..models import Campaign, CampaignRow
from ..sealing import SealBroken
from ..services import (
    begin_campaign,
    cancel_campaign,
    load_parts,
    pause_campaign,
    resume_campaign,
    retry_campaign,
)
from ..sheets import SheetRow, UnreadableSheet, open_sheet
from ..sheets.reading import MAX_BYTES
from .campaign_serializers import (
    CampaignBody,
    CampaignForm,
    CampaignQuery,
    CampaignRowQuery,
    CampaignRowSerializer,
    CampaignSerializer,
)
from .faults import Conflict
from .idempotency import idempotency_key
from .pagination import PageQuery, RowWalk, read_page
from .permissions import SEND_CAMPAIGNS, VIEW_CAMPAIGNS, MayFollowCampaigns, sees_numbers
from .rows import PARSERS, Stream
from .throttles import ChangeThrottle, ReadThrottle, SendThrottle
from .views import ApiView

logger = logging.getLogger("django_etelecom")

PATIENCE = 3.0
"""Seconds that a request loads rows; what is left then is the worker's."""

State = Campaign.Status


# --- What is told of campaigns --------------------------------------------------------------------


def shown(campaigns: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what is told of campaigns; no message is counted for it."""
    together = list(campaigns)
    counts = Campaign.counts_of(together)
    for campaign in together:
        campaign.shown_progress = progress(campaign, counts[campaign.pk])
        campaign.shown_sender = campaign.sent_by.get_username() if campaign.sent_by else None
    told: list[dict[str, Any]] = CampaignSerializer(together, many=True).data
    return told


def stored_campaigns() -> QuerySet[Campaign]:
    """Return all campaigns, as the database has them that is written to."""
    return Campaign.objects.using(Campaign.database()).select_related("template", "sent_by")


def stored_campaign(public_id: str) -> Campaign:
    """Return a campaign by what its address has for it.

    Raises:
        NotFound: there is none.
    """
    try:
        return stored_campaigns().get(public_id=uuid.UUID(public_id))
    except (ValueError, Campaign.DoesNotExist):
        raise NotFound(_("There is no campaign of this id.")) from None


# --- What a campaign is made of -------------------------------------------------------------------


class Given(NamedTuple):
    """What a request gives to make a campaign of."""

    fields: dict[str, Any]
    rows: Iterator[SheetRow]
    content: str
    """The same for the same fields and rows."""


@contextlib.contextmanager
def given_by(view: ApiView) -> Iterator[Given]:
    """Open what the request of a view gives; its rows can be read until this is left.

    Raises:
        ValidationError: it is not of a form that is taken; also while rows are read.
        ParseError, BodyTooLarge: the body cannot be read.
    """
    try:
        match view.request.data:
            case Opaque():
                fields = view.body(CampaignBody)
                rows = fields.pop("rows")
                yield Given(fields, iter(rows.reveal()), _content(fields, _digest_of(rows)))
            case Stream() as stream:
                fields = view.query(CampaignQuery)
                with stream.in_a_file() as file:
                    content = _content(fields, _digest_of_file(file))
                    yield Given(fields, stream.rows(file), content)
            case form if form:
                fields = view.body(CampaignForm)
                sheet = fields.pop("rows")
                content = _content(fields, _digest_of_file(sheet.file))
                yield Given(fields, open_sheet(sheet.file, sheet.name).rows(), content)
            case _:
                raise ValidationError({"rows": [_("Give at least one row.")]})
    except UnreadableSheet as error:
        raise ValidationError({"rows": [str(error)]}) from None


def _content(fields: Mapping[str, Any], digest: str) -> str:
    said = {name: value for name, value in fields.items() if value}
    return json.dumps([said, digest], sort_keys=True, default=str)


def _digest_of(rows: Opaque[list[SheetRow]]) -> str:
    return shielded(
        lambda: hashlib.sha256(
            json.dumps([row.values for row in rows.reveal()], sort_keys=True).encode()
        ).hexdigest()
    )


def _digest_of_file(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # an upload reads as a file


def _load(campaign: Campaign) -> None:
    """Load as much as a client waits for."""
    try:
        load_parts(campaign, patience=PATIENCE)
    except (InvalidMessage, SealBroken, ImproperlyConfigured) as error:
        # The campaign is there, and to say otherwise would have the client ask for another.
        logger.error("Campaign %s could not be loaded: %s", campaign.public_id, error)
    campaign.refresh_from_db(using=Campaign.database())


# --- Views ----------------------------------------------------------------------------------------


class CampaignsView(ApiView):
    """All campaigns, the newest first; a new one starts by itself when its rows are loaded."""

    rights = {"GET": [VIEW_CAMPAIGNS], "POST": [SEND_CAMPAIGNS]}
    permission_classes = [MayFollowCampaigns]
    throttles = {"GET": ReadThrottle, "POST": SendThrottle}
    parser_classes = PARSERS
    max_body = MAX_BYTES

    def get(self, request: Any) -> Response:
        query = self.query(PageQuery)
        page = read_page(RowWalk(stored_campaigns()), query.get("cursor"), query["limit"])
        return page.answer(request, shown(page.rows))

    def post(self, request: Any) -> Response:
        key = idempotency_key(request)
        with given_by(self) as given:
            campaign = begin_campaign(
                given.fields["template"],
                given.rows,
                name=given.fields.get("name", ""),
                route=given.fields.get("route"),
                send_at=given.fields.get("send_at"),
                sent_by=request.user,
                idempotency_key=key,
                content=given.content,
            )
        if not campaign.is_replay:
            _load(campaign)
        address = reverse(f"{request.resolver_match.namespace}:campaign", args=[campaign.public_id])
        return Response(
            shown([campaign])[0],
            status=200 if campaign.is_replay else 201,
            headers={"Location": request.build_absolute_uri(address)},
        )


class CampaignView(ApiView):
    """One campaign."""

    rights = {"GET": [VIEW_CAMPAIGNS]}
    permission_classes = [MayFollowCampaigns]
    throttles = {"GET": ReadThrottle}

    def get(self, request: Any, public_id: str) -> Response:
        return Response(shown([stored_campaign(public_id)])[0])


class CampaignRowsView(ApiView):
    """The rows of a campaign that became no message, or those that did and need a look as well."""

    rights = {"GET": [VIEW_CAMPAIGNS]}
    permission_classes = [MayFollowCampaigns]
    throttles = {"GET": ReadThrottle}

    def get(self, request: Any, public_id: str) -> Response:
        query = self.query(CampaignRowQuery)
        rows = CampaignRow.objects.using(Campaign.database()).filter(
            campaign=stored_campaign(public_id), is_queued=query["is_queued"]
        )
        page = read_page(RowWalk(rows), query.get("cursor"), query["limit"])
        if not sees_numbers(request):
            # A faulty value is quoted in its sentence, and may be a number.
            for row in page.rows:
                row.faults = {
                    phone.mask_within(field): [phone.mask_within(one) for one in sentences]
                    for field, sentences in row.faults.items()
                }
        return page.answer(request, CampaignRowSerializer(page.rows, many=True).data)


class MoveView(ApiView):
    """Moves a campaign; one that is there already comes back as it is."""

    move: ClassVar[Any]
    arrives: ClassVar[frozenset[str]]
    """States that it comes to; a short campaign has finished before the answer is there."""

    rights = {"POST": [SEND_CAMPAIGNS]}
    throttles = {"POST": ChangeThrottle}

    def post(self, request: Any, public_id: str) -> Response:
        campaign = stored_campaign(public_id)
        was_over = campaign.status == State.FINISHED
        self.move(campaign)
        if was_over or campaign.status not in self.arrives:
            raise Conflict(
                _("The campaign is %(status)s by now; nothing was changed.")
                % {"status": campaign.get_status_display()}
            )
        return Response(shown([campaign])[0])


class PauseView(MoveView):
    move = staticmethod(pause_campaign)
    arrives = frozenset({State.PAUSED})


class ResumeView(MoveView):
    move = staticmethod(resume_campaign)
    arrives = frozenset({State.RUNNING, State.FINISHED})


class CancelView(MoveView):
    move = staticmethod(cancel_campaign)
    arrives = frozenset({State.CANCELLED})


class RetryView(ApiView):
    """Queues again what provably was not sent of a campaign."""

    rights = {"POST": [SEND_CAMPAIGNS]}
    throttles = {"POST": SendThrottle}

    def post(self, request: Any, public_id: str) -> Response:
        campaign = stored_campaign(public_id)
        try:
            retried = retry_campaign(campaign)
        except InvalidMessage as error:
            raise Conflict(" ".join(error.messages)) from None
        return Response({**shown([campaign])[0], "retried": retried})
