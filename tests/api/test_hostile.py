"""Bad input of every kind is answered with a sentence, and nothing is sent."""

import json

import pytest
from django.http import UnreadablePostError
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_etelecom.api.views import ApiView
from django_etelecom.models import MessageLog
from tests.api.conftest import told

pytestmark = pytest.mark.django_db

MESSAGES = "/api/messages/"
CHECK = "/api/messages/check/"
LIMIT = ApiView.max_body


@pytest.fixture
def everybody(api_client, scripted):
    return api_client(
        "send_message", "resend_message", "view_messagelog", "view_recipient", username="everybody"
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{", "The body of this request is not JSON: see line 1, character 2."),
        ("{'to': 1}", "The body of this request is not JSON: see line 1, character 2."),
        ("otp=1", "The body of this request is not JSON: see line 1, character 1."),
        (b"\xff\xfe", "The body of this request is not UTF-8."),
        ('{"to": NaN}', "The body of this request is not JSON, which has no NaN."),
        ('{"to": -Infinity}', "The body of this request is not JSON, which has no -Infinity."),
        ('{"to": ' + "[" * 50_000, "The body of this request is nested too deep."),
        ("[" * 50_000 + "]" * 50_000, "The body of this request is nested too deep."),
        ('{"a":' * 20_000 + "1" + "}" * 20_000, "The body of this request is nested too deep."),
        ('{"to": ' + "9" * 5000 + "}", "The body of this request has a number that is too long."),
        (
            '{"to": "0912345678", "params": {}, "to": "0912345679"}',
            "The body of this request has a name twice in one object.",
        ),
        (
            '{"to": "0912345678", "params": {"otp": "1", "otp": "2"}}',
            "The body of this request has a name twice in one object.",
        ),
    ],
)
def test_body__that_is_no_json_is_400(everybody, body, sentence):
    response = everybody.post_text(MESSAGES, body)

    assert response.status_code == 400
    assert told(response) == {"detail": sentence}


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "",
        "garbage",
    ],
)
def test_body__of_another_media_type_is_415(everybody, order, media_type):
    response = everybody.generic("POST", MESSAGES, json.dumps(order), media_type)

    assert response.status_code == 415
    assert list(told(response)) == ["detail"]


@pytest.mark.parametrize("where", [MESSAGES, CHECK, f"{MESSAGES}x/resend/", f"{MESSAGES}x/cancel/"])
def test_body__that_is_too_large_is_413(everybody, where):
    response = everybody.post_text(where, b" " * (LIMIT + 1))

    assert response.status_code == 413
    assert told(response) == {"detail": "The body of this request has at most 131072 bytes."}


def test_body__that_is_larger_than_it_says_is_413(everybody, monkeypatch):
    monkeypatch.setattr("django.http.request.HttpRequest.read", lambda _request, size: b" " * size)

    assert everybody.post_text(MESSAGES, "{}").status_code == 413


def test_body__that_just_fits_is_read(everybody, order):
    body = json.dumps(order)

    response = everybody.post_text(CHECK, body + " " * (LIMIT - len(body)))

    assert response.status_code == 200


def test_body__that_breaks_off_is_400(everybody, monkeypatch):
    def fails(*args):
        raise UnreadablePostError("hung up")

    monkeypatch.setattr("django.http.request.HttpRequest.read", fails)

    response = everybody.post_text(MESSAGES, "{}")

    assert response.status_code == 400
    assert told(response) == {"detail": "The body of this request broke off."}


def test_body__whose_length_is_no_number_is_400(everybody):
    response = everybody.post_text(MESSAGES, "{}", CONTENT_LENGTH="many")

    assert response.status_code == 400
    assert set(told(response)) == {"template", "to"}


def test_body__in_chunks_without_a_length_is_411(everybody, order):
    response = everybody.post(
        MESSAGES, order, CONTENT_LENGTH="", headers={"transfer-encoding": "chunked"}
    )

    assert response.status_code == 411
    assert list(told(response)) == ["detail"]


def test_body__that_is_missing_is_400(everybody):
    response = everybody.generic("POST", MESSAGES, b"", "")

    assert response.status_code == 400
    assert set(told(response)) == {"template", "to"}


@pytest.mark.parametrize("accepted", ["text/html", "application/xml", "*/garbage"])
def test_answer__of_another_form_is_406(everybody, order, accepted):
    response = everybody.post(CHECK, order, headers={"accept": accepted})

    assert response.status_code == 406


def test_answer__of_another_format_is_404(everybody):
    assert everybody.get(f"{MESSAGES}?format=api").status_code == 404


HOSTILE = [
    *(
        "a\x00b",
        "\ud800",
        "\u202e",
        "{otp}",
        "%s %(to)s",
        "<script>",
        "W" * 60_000,
        "'; --",
        "９" * 9,
    ),
    *(0, -1, 10**400, 1.5, True, None, [], {}, [[1]], {"a": {"b": "\x00"}}),
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    "name", ["template", "to", "params", "route", "queue", "send_at", "expires_at", "metadata"]
)
def test_fields__hostile_values_are_answered(everybody, order, name, value):
    for where in (MESSAGES, CHECK):
        response = everybody.post(where, {**order, name: value})

        assert response.status_code in (200, 201, 400), response.content
        told(response)


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_params__hostile_values_and_names_are_answered(everybody, order, value):
    for params in (
        order["params"] | {"customer_name": value},
        order["params"] | {"amount": value},
        order["params"] | {"delivery_date": value},
        order["params"] | {str(value): "x"},
    ):
        response = everybody.post(MESSAGES, {**order, "params": params})

        assert response.status_code in (201, 400), response.content
        told(response)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    ["template", "to", "params", "route", "queue", "send_at", "expires_at", "metadata", "status"]
)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=json_values | st.dictionaries(names | st.text(), json_values, max_size=8))
def test_bodies__of_any_json_are_answered(everybody, order, body):
    for sent in (body, {**order, **body} if isinstance(body, dict) else body):
        response = everybody.post_text(CHECK, json.dumps(sent))

        assert response.status_code in (200, 400), response.content
        told(response)


@pytest.mark.parametrize("authorization", ["Basic", "Basic !!", "Basic 4pi6", "Token x", "\x00"])
def test_login__that_cannot_be_one_is_no_login(authorization, order, order_template):
    client = Client(headers={"authorization": authorization})

    response = client.post(CHECK, order, content_type="application/json")

    assert response.status_code in (401, 403)
    assert not MessageLog.objects.exists()
