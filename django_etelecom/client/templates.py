"""GetTemplate: which templates the provider has for an account, and of what parameters.

Source of every form: clients of it in production use; eTelecom's documentation does not have it,
and not every account does.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from .codes import Failure, Refusal
from .opaque import Opaque
from .wire import (
    CONTRADICTION,
    MAX_DETAIL,
    fold_spelling,
    folded,
    json_body,
    json_value,
    read_answer,
    scalar,
    sentence,
    unauthorized,
)

PAGE_SIZE = 10
"""Templates that are asked for at once, as known clients do."""

MAX_PAGES = 100
MAX_TEMPLATES = 500
"""As much of a list is read, however long the provider says that it is."""

MAX_CODE = 100
MAX_PARAMETERS = 100
MAX_NAME = 200
MAX_TYPE = 50
MAX_PATTERN = 1000
"""Characters that are kept of what a parameter's format says; more than any that is of use."""

ABSENT = (404, 405)
"""HTTP statuses of a gateway that has no GetTemplate."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProviderParameter:
    """One variable of a template, as the provider describes it. The text is as it came, but cut."""

    name: str
    type: str = ""
    """A word whose vocabulary is not published."""
    pattern: str = ""
    """A regular expression of a dialect that is not known."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTemplate:
    """A template as the provider has it."""

    code: str
    channels: tuple[str, ...] = ()
    """Numbers of the channels that it has a sender for, as they came."""
    parameters: tuple[ProviderParameter, ...] | None = ()
    """In the provider's order; None: they cannot be understood."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePage:
    """One page of the list."""

    templates: tuple[ProviderTemplate, ...] = ()
    unusable: int = 0
    """Entries of no code that could be sent by."""
    total: int | None = None
    """How many templates the provider says that there are on all pages."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TemplatesResult:
    """What came of asking for a page: exactly one of a page, a refusal and a failure."""

    page: TemplatePage | None = None
    refusal: Refusal | None = None
    failure: Failure | None = None
    """Why there is no answer, or none that can be understood."""
    failure_detail: str = ""
    """A technical sentence of ours, without secrets."""
    http_status: int | None = None
    provider_detail: str = ""
    """The provider's sentence as it came, where it refuses or has no list for us."""
    interrupt: BaseException | None = None
    """To be raised again by the caller."""

    @property
    def is_absent(self) -> bool:
        """Whether the gateway has no such list."""
        return self.http_status in ABSENT


def get_template_body(*, username: Opaque[str], password: Opaque[str], page: int) -> Opaque[bytes]:
    """Return the JSON body of GetTemplate.

    Raises:
        TypeError: a value is not what JSON can hold. The error tells nothing of the values.
    """
    return json_body(
        lambda: {
            "Page": page,
            "ItemCount": PAGE_SIZE,
            "TemplateCode": "",
            "Username": username.reveal(),
            "Password": password.reveal(),
        }
    )


# One page


def decipher_templates(status: int, headers: Mapping[str, str], body: bytes) -> TemplatesResult:
    """Tell what an answer to GetTemplate says. Never raises."""
    answer = read_answer(status, headers, body)
    if status == 401:
        refusal, words = unauthorized(answer)
        return TemplatesResult(refusal=refusal, http_status=401, provider_detail=words)
    page: TemplatePage | str = answer.fault
    if answer.fields is not None:
        page = _page(_fields(answer.fields))
    if isinstance(page, TemplatePage):
        return TemplatesResult(page=page, http_status=status)
    return TemplatesResult(
        failure=Failure.BAD_ANSWER,
        failure_detail=page,
        http_status=status,
        # Of what is no JSON the words are a page of HTML.
        provider_detail=sentence(answer.payload)[:MAX_DETAIL]
        if isinstance(answer.payload, dict)
        else "",
    )


def _page(fields: dict[str, Any] | None) -> TemplatePage | str:
    """Return the page that an answer's fields are, or why they are none."""
    if fields is None:
        return CONTRADICTION
    listed = fields.get("listtemp", "")
    # Of an account without templates.
    listed = [] if listed is None else listed
    if not isinstance(listed, list):
        return "the answer has no ListTemp"
    templates = [_template(_fields(entry)) for entry in listed]
    total = scalar(fields.get("totalitem")).strip()
    is_count = total.isascii() and total.isdecimal() and len(total) < 10
    return TemplatePage(
        templates=tuple(template for template in templates if template is not None),
        unusable=templates.count(None),
        total=int(total) if is_count else None,
    )


def _template(fields: dict[str, Any] | None) -> ProviderTemplate | None:
    code = scalar((fields or {}).get("templatecode")).strip()
    if fields is None or not code or len(code) > MAX_CODE or not code.isprintable():
        return None
    senders = fields.get("senderchannel")
    return ProviderTemplate(
        code=code,
        channels=tuple(senders)[:MAX_PARAMETERS] if isinstance(senders, dict) else (),
        parameters=_parameters(fields.get("paramsformat")),
    )


def _parameters(formats: object) -> tuple[ProviderParameter, ...] | None:
    if isinstance(formats, str) and formats.strip():
        formats, fault = json_value(formats.encode("utf-8", "replace"))
        formats = [] if fault else formats
    if formats is None or formats == "":
        return ()
    if not isinstance(formats, dict) or len(formats) > MAX_PARAMETERS:
        return None
    return tuple(_parameter(name, described) for name, described in formats.items())


def _parameter(name: str, described: object) -> ProviderParameter:
    fields = _fields(described) or {}
    return ProviderParameter(
        name=name.strip()[:MAX_NAME],
        type=scalar(fields.get("type")).strip()[:MAX_TYPE],
        pattern=scalar(fields.get("regex"))[:MAX_PATTERN],
    )


def _fields(value: object) -> dict[str, Any] | None:
    return folded(value, fold_spelling) if isinstance(value, dict) else None


# All pages


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TemplateList:
    """The provider's templates as far as they were told."""

    templates: tuple[ProviderTemplate, ...] = ()
    """In the provider's order, each code once."""
    contradictory: tuple[str, ...] = ()
    """Codes that came twice, described in two ways; they are not among the templates."""
    unusable: int = 0
    """Entries of no code that could be sent by."""
    is_complete: bool = False
    """Whether these are all that the provider says that there are."""
    failed: TemplatesResult | None = None
    """The answer that is no page; then there is nothing else."""


def read_list(ask: Callable[[int], TemplatesResult], *, patience: float) -> TemplateList:
    """Ask for page after page until nothing new comes.

    However the provider numbers, repeats and counts its pages, it is asked at most `MAX_PAGES`
    times. A list that breaks off in the middle is none.

    Args:
        ask: returns what came of asking for the page of this number, from 1.
        patience: seconds after which no further page is asked for.
    """
    found: dict[str, ProviderTemplate] = {}
    contradictory: dict[str, None] = {}
    unusable, total, is_told = 0, None, False
    ends_at = time.monotonic() + patience
    for number in range(1, MAX_PAGES + 1):
        if number > 1 and time.monotonic() > ends_at:
            late = f"the list had not come to its end after {patience:g} seconds"
            return TemplateList(
                failed=TemplatesResult(failure=Failure.TIMEOUT, failure_detail=late)
            )
        result = ask(number)
        page = result.page
        # Pages behind the end are nothing that a provider has to know.
        if page is None and is_told and result.interrupt is None:
            break
        if page is None:
            return TemplateList(failed=result)
        known = len(found)
        for template in page.templates:
            if found.setdefault(template.code, template) != template:
                contradictory[template.code] = None
        brought_new = len(found) > known
        # The same page again has the same entries of no use.
        unusable += page.unusable if brought_new or number == 1 else 0
        total = total if page.total is None else page.total
        is_told = total is not None and len(found) + unusable >= total
        # What it says of the total may be of this page alone, and its pages may be shorter.
        is_short = len(page.templates) + page.unusable < PAGE_SIZE
        is_end = is_short and (is_told or total is None)
        if is_end or not brought_new or len(found) > MAX_TEMPLATES:
            break
    told = [template for code, template in found.items() if code not in contradictory]
    return TemplateList(
        templates=tuple(told[:MAX_TEMPLATES]),
        contradictory=tuple(contradictory)[:MAX_TEMPLATES],
        unusable=unusable,
        is_complete=is_told and len(found) <= MAX_TEMPLATES,
    )
