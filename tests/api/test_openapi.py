"""The API's description of itself, as OpenAPI."""

import json
import re
import subprocess
import sys

import pytest
from django.urls import get_resolver

from django_etelecom.api import template_schemas
from django_etelecom.models import MessageTemplate
from tests.api.conftest import ApiClient, told

pytest.importorskip("drf_spectacular")

from drf_spectacular.drainage import GENERATOR_STATS  # where it is installed
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator  # which drf-spectacular brings

pytestmark = pytest.mark.django_db

SCHEMA = "/api/schema/?format=json"


def described(client=None):
    """Return the schema as a client is shown it; None: as a command writes it."""
    if client is None:
        return SchemaGenerator().get_schema(public=True)
    response = client.get(SCHEMA)
    assert response.status_code == 200
    return json.loads(response.content)


def component(schema, name):
    return schema["components"]["schemas"][name]


def validator(schema, name):
    """Return what says whether a value is of a component."""
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": schema["components"]}
    )


@pytest.fixture
def templates(order_template, otp_template):
    MessageTemplate.objects.create(code="not_active", is_active=False)
    MessageTemplate.objects.create(code="Chào bạn/1")
    return order_template, otp_template


@pytest.mark.parametrize("version", ["3.0.3", "3.1.1"])
def test_schema__is_valid_and_without_warnings(templates, version, capsys):
    GENERATOR_STATS.reset()

    # There is no place for a webhook in the older version.
    webhooks = [] if version.startswith("3.0") else ["django_etelecom.api.openapi.delivery_report"]
    with patched_settings({"OAS_VERSION": version, "WEBHOOKS": webhooks}):
        validate_schema(described())

    assert not GENERATOR_STATS, capsys.readouterr().err


def test_schema__has_an_operation_for_every_verb_of_every_address():
    schema = described()
    _prefix, resolver = get_resolver().namespace_dict["etelecom_api"]

    operations = {
        (path.removeprefix("/api/"), method.upper())
        for path, methods in schema["paths"].items()
        for method in methods
        if path != "/api/schema/"
    }
    assert operations == {
        (re.sub("<[a-z]+:([a-z_]+)>", r"{\1}", str(pattern.pattern)), method)
        for pattern in resolver.url_patterns
        for method in pattern.callback.cls.rights
    }


def test_schema__every_operation_says_what_it_does_and_may_answer():
    for path, methods in described()["paths"].items():
        for operation in methods.values() if path != "/api/schema/" else ():
            assert operation["summary"]
            assert {"401", "403", "429", "503"} < set(operation["responses"])
            assert "Retry-After" in operation["responses"]["429"]["headers"]


def test_schema__a_message_goes_by_its_template(templates):
    schema = described()

    for name in ("EtelecomSendBody", "EtelecomCheckBody"):
        body = component(schema, name)
        assert body["discriminator"]["propertyName"] == "template"
        assert list(body["discriminator"]["mapping"]) == [
            "Chào bạn/1",
            "login_otp",
            "order_confirmation",
        ]
        assert len(body["oneOf"]) == 3
        assert validator(schema, name).is_valid({"template": "Chào bạn/1", "to": "0912345678"})


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({}, True),
        ({"amount": "150000"}, True),
        ({"note": "Call first"}, True),
        ({"amount": 1.5}, False),
        ({"amount": True}, False),
        ({"amount": -1}, False),
        ({"amount": "0"}, False),
        ({"amount": "1" * 13}, False),
        ({"colour": "red"}, False),
        ({"customer_name": "a" * 201}, False),
    ],
)
def test_schema__parameters_are_those_of_the_template(templates, order, changes, is_taken):
    body = {**order, "params": order["params"] | changes}

    assert validator(described(), "EtelecomSendBody").is_valid(body) is is_taken


def test_schema__parameters_that_are_required_are_required(templates, order):
    schema = described()
    del order["params"]["amount"]

    assert not validator(schema, "EtelecomSendBody").is_valid(order)
    assert not validator(schema, "EtelecomSendBody").is_valid({**order, "params": {}})
    assert not validator(schema, "EtelecomSendBody").is_valid({**order, "template": "not_active"})


def test_schema__a_pattern_is_told(templates):
    MessageTemplate.objects.get(code="login_otp").parameters.update(pattern="[0-9]{6}")

    otp = component(described(), "EtelecomParams_login_otp")["properties"]["otp"]

    assert otp["description"].endswith("Python: [0-9]{6}")
    assert otp["format"] == "password"


def test_schema__its_examples_can_be_sent(templates, sender, scripted):
    templates[0].parameters.filter(name="customer_name").update(example="Nguyễn Văn An")
    schema = described()
    bodies = [
        component(schema, ref.rsplit("/", 1)[-1])
        for ref in component(schema, "EtelecomSendBody")["discriminator"]["mapping"].values()
    ]

    examples = [example for body in bodies for example in body["examples"]]

    assert len(examples) == 3
    for example in examples:
        assert validator(schema, "EtelecomSendBody").is_valid(example)
        assert sender.post("/api/messages/", example).status_code == 201


def test_schema__a_template_whose_examples_do_not_fit_has_none(order_template):
    order_template.parameters.filter(name="amount").update(example="much")

    assert "examples" not in component(described(), "EtelecomSendBody_order_confirmation")


def test_schema__two_codes_of_one_spelling_are_two(default_route):
    MessageTemplate.objects.create(code="a b")
    MessageTemplate.objects.create(code="a/b")

    assert len(component(described(), "EtelecomSendBody")["oneOf"]) == 2


def test_schema__names_no_more_templates_than_a_person_reads(templates, monkeypatch):
    monkeypatch.setattr(template_schemas, "MOST_TEMPLATES", 2)

    assert len(component(described(), "EtelecomSendBody")["oneOf"]) == 2


def test_schema__without_templates_takes_any():
    body = {"template": "any", "to": "0912345678", "params": {"name": "An", "amount": 150000}}

    assert validator(described(), "EtelecomSendBody").is_valid(body)
    assert not validator(described(), "EtelecomSendBody").is_valid({**body, "colour": "red"})


@pytest.mark.parametrize("who", ["anonymous", "reader", "sender"])
def test_schema__names_templates_to_whom_may_send(templates, api_client, who):
    client = {
        "anonymous": ApiClient,
        "reader": lambda: api_client("view_messagelog"),
        "sender": lambda: api_client("send_message"),
    }[who]()

    text = json.dumps(described(client))

    assert ("order_confirmation" in text) is (who == "sender")
    assert ("order_code" in text) is (who == "sender")


def test_schema__what_is_answered_is_what_it_says(templates, scripted, api_client, order):
    client = api_client("send_message", "view_messagelog")
    schema = described()

    sent = told(client.post("/api/messages/", order))
    one = told(client.get(f"/api/messages/{sent['public_id']}/"))
    page = told(client.get("/api/messages/"))

    for name, answer in {
        "EtelecomMessage": sent,
        "EtelecomMessageWithEvents": one,
        "EtelecomMessagePage": page,
    }.items():
        validator(schema, name).validate(answer)
        assert set(answer) == set(component(schema, name)["properties"])


def test_schema__a_campaign_is_made_of_rows_in_any_form():
    operation = described()["paths"]["/api/campaigns/"]["post"]

    assert set(operation["requestBody"]["content"]) == {
        "application/json",
        "application/x-ndjson",
        "text/csv",
        "multipart/form-data",
    }


def test_schema__has_the_webhook(client, settings):
    told_of = described()["webhooks"]["delivery_report"]["post"]
    settings.ETELECOM = {**settings.ETELECOM, "WEBHOOK_TOKENS": ["token-of-16-letters"]}
    report = {"IdOmniMess": "ICOMNI1", "Status": "SUCCESS", "MtCount": 1, "IsCharged": "True"}

    body = told_of["requestBody"]["content"]["application/json"]["schema"]
    taken = client.post(
        "/etelecom/webhooks/token-of-16-letters/", report, content_type="application/json"
    )

    Draft202012Validator(body).validate(report)
    Draft202012Validator(body).validate([report])
    answer = told_of["responses"][str(taken.status_code)]["content"]["application/json"]["schema"]
    Draft202012Validator(answer).validate(taken.json())


def test_api__works_without_drf_spectacular():
    script = """
import sys
sys.modules["drf_spectacular"] = None
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_etelecom"],
    ROOT_URLCONF="django_etelecom.api.urls",
    USE_TZ=True,
)
django.setup()
from django.urls import resolve
print(resolve("/messages/").func.cls.__name__)
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )

    assert run.stdout == "MessagesView\n", run.stderr
