"""GetTemplate: a request without a trace of its values, and the list that many answers make."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.client import templates
from django_etelecom.client.codes import Failure, Refusal
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.templates import (
    MAX_PAGES,
    MAX_TEMPLATES,
    ProviderParameter,
    ProviderTemplate,
    TemplateList,
    TemplatePage,
    TemplatesResult,
    decipher_templates,
    get_template_body,
    read_list,
)
from django_etelecom.client.transport import NoAnswer, Response, templates_result
from django_etelecom.client.wire import MAX_BODY
from tests.client.samples import cases, recorded
from tests.client.test_requests import shown_locals


def sample(case: str) -> TemplatesResult:
    return decipher_templates(*recorded("get_template", case))


def decipher(body, *, status=200, headers=None) -> TemplatesResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decipher_templates(status, headers or {}, raw)


def page_of(*entries, **fields) -> TemplatePage:
    result = decipher({"Page": 1, "TotalItem": len(entries), "ListTemp": list(entries), **fields})
    assert result.page is not None
    assert result.refusal is result.failure is None
    return result.page


def only_template(**entry) -> ProviderTemplate:
    [template] = page_of({"TemplateCode": "OTP", **entry}).templates
    return template


def assert_not_understood(result: TemplatesResult, why: str) -> None:
    assert result.failure is Failure.BAD_ANSWER
    assert result.failure_detail == why
    assert result.page is result.refusal is None


# The request


def body(**changes):
    fields = {"username": Opaque("shop"), "password": Opaque("canary-password"), "page": 3}
    return get_template_body(**{**fields, **changes})


def test_get_template_body():
    assert json.loads(body().reveal()) == {
        "Page": 3,
        "ItemCount": 10,
        "TemplateCode": "",
        "Username": "shop",
        "Password": "canary-password",
    }


def test_get_template_body__is_opaque():
    assert repr(body()) == "<Opaque>"


def test_get_template_body__another_type_is_refused_without_a_trace_of_the_values():
    with pytest.raises(TypeError, match="text only") as caught:
        body(page=object())
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert "canary" not in shown_locals(caught.value, but_of="body")


# The provider's forms

OTP = ProviderTemplate(
    code="login_otp",
    channels=("1", "3"),
    parameters=(ProviderParameter(name="otp", type="otp", pattern="^[0-9]{6}$"),),
)

SAMPLES = {
    "two": TemplatePage(
        templates=(
            OTP,
            ProviderTemplate(
                code="order",
                channels=("1",),
                parameters=(
                    ProviderParameter(name="name", type="name"),
                    ProviderParameter(name="amount", type="vnd", pattern="^[0-9]+$"),
                ),
            ),
        ),
        total=2,
    ),
    "other_spelling": TemplatePage(templates=(OTP,), total=1),
    "none": TemplatePage(total=0),
}
NO_PAGES = {"unauthorized", "address", "not_found", "no_right"}


@pytest.mark.parametrize("case", SAMPLES)
def test_page(case):
    assert sample(case) == TemplatesResult(page=SAMPLES[case], http_status=200)


def test_every_sample_has_its_test():
    assert cases("get_template") == {*SAMPLES, *NO_PAGES}


@pytest.mark.parametrize(
    ("case", "refusal", "detail"),
    [
        ("unauthorized", Refusal.CREDENTIALS, "Unauthorized"),
        ("address", Refusal.ADDRESS, "Can't access from this IP"),
    ],
)
def test_refused(case, refusal, detail):
    result = sample(case)

    assert (result.refusal, result.http_status) == (refusal, 401)
    assert result.provider_detail == detail
    assert not result.is_absent
    assert result.page is result.failure is None


def test_not_found__is_absent():
    result = sample("not_found")

    assert_not_understood(result, "HTTP 404")
    assert result.is_absent
    assert result.provider_detail == "No HTTP resource was found"


def test_method_not_allowed__is_absent_too():
    assert decipher(b"", status=405).is_absent
    assert not decipher(b"", status=500).is_absent


def test_no_right__keeps_what_was_said():
    result = sample("no_right")

    assert_not_understood(result, "the answer has no ListTemp")
    assert result.provider_detail == "No right to see templates"
    assert not result.is_absent


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "the body is not JSON"),
        (b"<html>502</html>", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 60_000, "the body is nested too deep"),
        (b'{"TotalItem": ' + b"9" * 5000 + b', "ListTemp": []}', "the body is not JSON"),
        (b'{"ListTemp": [], "ListTemp": []}', "a key stands twice in one object"),
        (b'{"ListTemp": [], "list_temp": [1]}', "two spellings of one key contradict"),
        (b"[]", "the body is no JSON object"),
        (b"null", "the body is no JSON object"),
        (b'{"ListTemp": {"TemplateCode": "OTP"}}', "the answer has no ListTemp"),
        (b'{"ListTemp": "OTP"}', "the answer has no ListTemp"),
        (b"{}", "the answer has no ListTemp"),
        (b" " * MAX_BODY + b'{"ListTemp": []}', f"the body has more than {MAX_BODY} bytes"),
    ],
)
def test_answer__that_is_no_list(raw, why):
    assert_not_understood(decipher(raw), why)


def test_answer__encoded():
    packed = gzip.compress(b'{"ListTemp": []}')

    assert_not_understood(
        decipher(packed, headers={"content-encoding": "gzip"}), "the body is encoded"
    )


@pytest.mark.parametrize(
    ("total", "told"),
    [
        *((3, 3), ("3", 3), (" 3 ", 3), (0, 0)),
        *((-1, None), (1.5, None), (True, None), (None, None), ([], None), ("many", None)),
        *((10**9, None), ("１", None)),
    ],
)
def test_total(total, told):
    assert page_of(TotalItem=total).total == told


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "OTP",
        7,
        [],
        {},
        {"TemplateCode": ""},
        {"TemplateCode": " "},
        {"TemplateCode": None},
        {"TemplateCode": ["OTP"]},
        {"TemplateCode": "a" * 101},
        {"TemplateCode": "a\x00b"},
        {"TemplateCode": "a\ud800"},
        {"TemplateCode": "a\u202eb"},
        {"TemplateCode": "a\nb"},
        {"TemplateCode": "OTP", "templatecode": "ORDER"},
    ],
)
def test_entry__without_a_code_to_send_by_is_counted(entry):
    assert page_of(entry, {"TemplateCode": "OTP"}) == TemplatePage(
        templates=(ProviderTemplate(code="OTP"),), unusable=1, total=2
    )


@pytest.mark.parametrize(("code", "kept"), [(" OTP ", "OTP"), (7, "7"), ("đơn hàng", "đơn hàng")])
def test_code(code, kept):
    assert only_template(TemplateCode=code).code == kept


@pytest.mark.parametrize("senders", [None, "1", ["1"], 7])
def test_channels__in_another_form_are_not_known(senders):
    assert only_template(SenderChannel=senders).channels == ()


@pytest.mark.parametrize(
    ("formats", "parameters"),
    [
        (None, ()),
        ("", ()),
        ({}, ()),
        ({" otp ": None}, (ProviderParameter(name="otp"),)),
        ({"otp": "digits"}, (ProviderParameter(name="otp"),)),
        (
            {"otp": {"Type": 7, "REGEX": True}},
            (ProviderParameter(name="otp", type="7", pattern="true"),),
        ),
        ({"otp": {"Type": {}, "Regex": []}}, (ProviderParameter(name="otp"),)),
        ({"otp": {"Type": "a", "type": "b"}}, (ProviderParameter(name="otp"),)),
        ('{"otp": {"Type": "otp"}}', (ProviderParameter(name="otp", type="otp"),)),
        (
            {"n" * 300: {"Type": "t" * 60, "Regex": "r" * 2000}},
            (ProviderParameter(name="n" * 200, type="t" * 50, pattern="r" * 1000),),
        ),
        ("null", ()),
        ("{", None),
        (" ", None),
        ([], None),
        (["otp"], None),
        (7, None),
        ("[1]", None),
        (dict.fromkeys(map(str, range(101))), None),
    ],
)
def test_parameters(formats, parameters):
    assert only_template(ParamsFormat=formats).parameters == parameters


@given(st.binary(max_size=200), st.sampled_from([200, 401, 404, 500]))
def test_any_bytes__are_no_exception(raw, status):
    decipher_templates(status, {}, raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


@given(JSON, JSON)
def test_any_values__are_no_exception(listed, formats):
    decipher({"ListTemp": listed})
    decipher(
        {"ListTemp": [{"TemplateCode": "OTP", "ParamsFormat": formats, "SenderChannel": listed}]}
    )


def test_no_answer():
    interrupt = SystemExit()
    told = templates_result(
        NoAnswer(Failure.INTERRUPTED, sent=True, detail="SystemExit", interrupt=interrupt)
    )

    assert told == TemplatesResult(
        failure=Failure.INTERRUPTED, failure_detail="SystemExit", interrupt=interrupt
    )


def test_response():
    assert templates_result(Response(200, {}, b'{"ListTemp": []}')).page == TemplatePage()


# All pages


class Provider:
    """Answers with pages that a test has laid out, and knows which were asked for."""

    def __init__(self, pages) -> None:
        self.pages = pages
        self.asked: list[int] = []

    def __call__(self, number: int) -> TemplatesResult:
        self.asked.append(number)
        page = self.pages(number) if callable(self.pages) else self.pages[number - 1]
        return page if isinstance(page, TemplatesResult) else TemplatesResult(page=page)


def page(*codes: str, total: int | None = None, unusable: int = 0) -> TemplatePage:
    listed = tuple(ProviderTemplate(code=code) for code in codes)
    return TemplatePage(templates=listed, total=total, unusable=unusable)


def numbered(first: int, last: int) -> list[str]:
    return [f"T{number}" for number in range(first, last + 1)]


def read(pages, **options) -> tuple[TemplateList, list[int]]:
    provider = Provider(pages)
    return read_list(provider, **{"patience": 60, **options}), provider.asked


def codes(listed: TemplateList) -> list[str]:
    return [template.code for template in listed.templates]


def test_list__one_short_page_is_asked_for_once():
    listed, asked = read([page("A", "B", total=2)])

    assert codes(listed) == ["A", "B"]
    assert listed.is_complete
    assert asked == [1]


def test_list__of_several_pages():
    listed, asked = read([page(*numbered(1, 10), total=13), page(*numbered(11, 13), total=13)])

    assert codes(listed) == numbered(1, 13)
    assert listed.is_complete
    assert asked == [1, 2]


def test_list__pages_shorter_than_asked_for():
    listed, asked = read([page("A", total=2), page("B", total=2)])

    assert codes(listed) == ["A", "B"]
    assert asked == [1, 2]


def test_list__without_a_total_ends_at_a_short_page():
    listed, asked = read([page(*numbered(1, 10)), page("B")])

    assert codes(listed) == [*numbered(1, 10), "B"]
    assert not listed.is_complete
    assert asked == [1, 2]


def test_list__total_of_the_page_alone_is_not_the_end():
    pages = [page(*numbered(1, 10), total=10), page("B", total=1)]

    listed, _asked = read(pages)

    assert codes(listed) == [*numbered(1, 10), "B"]


@pytest.mark.parametrize("behind", [page(total=10), page(*numbered(1, 10), total=10)])
def test_list__ends_where_nothing_new_comes(behind):
    listed, asked = read([page(*numbered(1, 10), total=10), behind])

    assert codes(listed) == numbered(1, 10)
    assert listed.is_complete
    assert asked == [1, 2]


def test_list__a_page_behind_the_end_may_be_refused():
    refused = TemplatesResult(failure=Failure.BAD_ANSWER, http_status=500)

    listed, _asked = read([page(*numbered(1, 10), total=10), refused])

    assert codes(listed) == numbered(1, 10)
    assert listed.is_complete


def test_list__total_that_is_too_large():
    listed, asked = read([page("A", total=99), page("A", total=99)])

    assert codes(listed) == ["A"]
    assert not listed.is_complete
    assert asked == [1, 2]


def test_list__that_breaks_off_is_none():
    failed = TemplatesResult(failure=Failure.TIMEOUT)

    listed, _asked = read([page(*numbered(1, 10), total=20), failed])

    assert listed == TemplateList(failed=failed)


def test_list__interrupted_behind_its_end():
    failed = TemplatesResult(failure=Failure.INTERRUPTED, interrupt=SystemExit())

    listed, _asked = read([page(*numbered(1, 10), total=10), failed])

    assert listed == TemplateList(failed=failed)


def test_list__endless_pages():
    listed, asked = read(lambda number: page(f"T{number}", total=10**6))

    assert len(listed.templates) == len(asked) == MAX_PAGES
    assert not listed.is_complete


def test_list__endless_templates():
    listed, asked = read(
        lambda number: page(*numbered(number * 300, number * 300 + 299), total=600)
    )

    assert len(listed.templates) == MAX_TEMPLATES
    assert not listed.is_complete
    assert asked == [1, 2]


def test_list__contradictory_codes_are_left_out():
    other = ProviderTemplate(code="A", channels=("1",))
    again = TemplatePage(templates=(other, other, ProviderTemplate(code="B")), total=2)

    listed, _asked = read([page("A", "A", "A", total=2), again])

    assert codes(listed) == ["B"]
    assert listed.contradictory == ("A",)
    assert listed.is_complete


def test_list__unusable_entries_count_once():
    listed, asked = read(lambda number: page("A", total=5, unusable=2))

    assert listed.unusable == 2
    assert asked == [1, 2]


def test_list__of_unusable_entries_alone():
    listed, asked = read([page(total=2, unusable=2)])

    assert (listed.unusable, listed.templates) == (2, ())
    assert listed.is_complete
    assert asked == [1]


def test_list__ends_with_the_callers_patience(monkeypatch):
    moments = iter([0.0, 5.0, 61.0])
    monkeypatch.setattr(templates.time, "monotonic", lambda: next(moments))

    listed, asked = read(lambda number: page(f"T{number}", total=10**6))

    assert listed.failed.failure is Failure.TIMEOUT
    assert listed.failed.failure_detail == "the list had not come to its end after 60 seconds"
    assert asked == [1, 2]
