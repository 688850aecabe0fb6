"""Templates from the provider: what they would change here, and that nothing else is."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from django_etelecom.client.codes import Failure, Refusal
from django_etelecom.client.templates import (
    ProviderParameter,
    ProviderTemplate,
    TemplateList,
    TemplatePage,
    TemplatesResult,
)
from django_etelecom.exceptions import ImportOutdated, TemplatesNotListed
from django_etelecom.models import MessageTemplate
from django_etelecom.services import check_import, import_templates, send_message
from django_etelecom.template_plan import ImportPlan, compared
from tests.backends import ListingBackend

ORDER = {
    "customer_name": ("name", ""),
    "order_code": ("code", "^DH-[0-9]+$"),
    "amount": ("vnd", ""),
    "delivery_date": ("date", ""),
}


def plan_of(*templates: ProviderTemplate, **listed) -> ImportPlan:
    return compared("default", TemplateList(templates=templates, **listed))


def template(code="new", **parameters: tuple[str, str]) -> ProviderTemplate:
    return ProviderTemplate(
        code=code,
        parameters=tuple(
            ProviderParameter(name=name, type=kind, pattern=pattern)
            for name, (kind, pattern) in parameters.items()
        ),
    )


def stored(code: str) -> list[tuple]:
    rows = MessageTemplate.objects.get(code=code).parameters.all()
    return list(rows.values_list("name", "kind", "max_length", "pattern"))


@pytest.fixture
def listing(settings):
    """The default account's backend answers as the test says."""

    def answer(result: TemplatesResult | BaseException) -> None:
        def page(number: int) -> TemplatesResult:
            if isinstance(result, BaseException):
                raise result
            return result

        ListingBackend.page = staticmethod(page)

    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {
                "USERNAME": "canary-username",
                "PASSWORD": "canary-password",
                "BACKEND": "tests.backends.ListingBackend",
            }
        }
    }
    ListingBackend.reset()
    return answer


# --- Asking -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_check__asks_the_provider_and_writes_nothing(live):
    live.templates = {"login_otp": {"otp": ("otp", "^[0-9]{6}$")}}

    plan = check_import()

    [change] = plan.changes
    assert (change.code, change.is_new) == ("login_otp", True)
    assert [receipt.path for receipt in live.receipts] == ["/api/TemplateOmni/GetTemplate"]
    assert not MessageTemplate.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_check__reads_every_page(live):
    live.templates = {f"T{number}": {} for number in range(25)}

    plan = check_import()

    assert [change.code for change in plan.changes] == list(live.templates)
    assert [receipt.json["Page"] for receipt in live.receipts] == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_check__over_libcurl(live, settings):
    entry = settings.ETELECOM["ACCOUNTS"]["default"]
    backend = "django_etelecom.backends.bulk.BulkBackend"
    settings.ETELECOM = {"ACCOUNTS": {"default": {**entry, "BACKEND": backend}}}

    assert [change.code for change in check_import().changes] == ["order_confirmation", "login_otp"]


@pytest.mark.django_db(transaction=True)
def test_check__holds_no_transaction_open_over_the_network(listing):
    def page(number):
        assert not connection.in_atomic_block
        return TemplatesResult(page=TemplatePage(total=0))

    ListingBackend.page = staticmethod(page)

    assert check_import().changes == []


@pytest.mark.django_db(transaction=True)
def test_check__inside_a_transaction_is_refused(live):
    with transaction.atomic(), pytest.raises(TransactionManagementError, match="check_import"):
        check_import()

    assert live.receipts == []


@pytest.mark.parametrize("backend", ["console.ConsoleBackend", "locmem.LocMemBackend"])
def test_check__backend_that_cannot_be_asked(settings, backend):
    settings.ETELECOM = {"ACCOUNTS": {"shop": {"BACKEND": f"django_etelecom.backends.{backend}"}}}

    with pytest.raises(TemplatesNotListed, match="backend of account “shop” cannot be asked"):
        check_import("shop")


def test_check__account_that_there_is_not():
    with pytest.raises(ImproperlyConfigured, match="no account 'shop'"):
        check_import("shop")


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (
            TemplatesResult(failure=Failure.BAD_ANSWER, failure_detail="HTTP 404", http_status=404),
            "no list of templates for account “default” (HTTP 404)",
        ),
        (
            TemplatesResult(refusal=Refusal.CREDENTIALS, http_status=401),
            "(HTTP 401): the user name or the password is wrong, or the account has no such list",
        ),
        (
            TemplatesResult(
                refusal=Refusal.ADDRESS,
                http_status=401,
                provider_detail="Can't access from this IP",
            ),
            "on the account's whitelist. (Can't access from this IP)",
        ),
        (
            TemplatesResult(failure=Failure.TIMEOUT, failure_detail="TimeoutError"),
            "gave no list of templates for account “default”. "
            "The provider did not answer in time. (TimeoutError)",
        ),
        (
            TemplatesResult(
                failure=Failure.BAD_ANSWER,
                failure_detail="the answer has no ListTemp",
                provider_detail="Bad canary-password\x00",
            ),
            "could not be understood. (the answer has no ListTemp; Bad •••\\u0000)",
        ),
    ],
)
@pytest.mark.django_db
def test_check__failure_is_told_in_a_sentence(listing, result, told):
    listing(result)

    with pytest.raises(TemplatesNotListed) as caught:
        check_import()

    assert told in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.django_db
def test_check__backend_that_raises_shows_nothing_of_it(listing):
    listing(ValueError("canary-password"))

    with pytest.raises(TemplatesNotListed) as caught:
        check_import()

    assert "ValueError" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.django_db
def test_check__told_to_stop_in_the_middle(listing):
    listing(SystemExit(3))

    with pytest.raises(SystemExit) as caught:
        check_import()

    assert caught.value.__context__ is caught.value.__cause__ is None


# --- Comparing ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_plan__of_what_is_there_already_has_no_changes(order_template):
    order_template.parameters.filter(name="note").delete()
    order_template.parameters.filter(name="customer_name").update(max_length=30)
    order_template.parameters.filter(name="order_code").update(max_length=30, pattern="^DH-[0-9]+$")

    plan = plan_of(template("order_confirmation", **ORDER), is_complete=True)

    assert plan.changes == plan.remarks == []
    assert plan.sentences() == ["1 template is as the provider has it."]


@pytest.mark.django_db
def test_plan__says_what_is_new():
    [change] = plan_of(
        ProviderTemplate(
            code="login",
            channels=("1", "3", "x"),
            parameters=(
                ProviderParameter(name="otp", type="otp", pattern="^[0-9]{6}$"),
                ProviderParameter(name="shop", type="shop"),
            ),
        )
    ).changes

    assert (change.is_new, change.category) == (True, "otp")
    assert change.sentences() == [
        "New parameter otp: one-time password, at most 10 characters, pattern ^[0-9]{6}$, "
        "never stored or shown",
        "New parameter shop: text, at most 200 characters",
        "Registered for: ZNS (Zalo), SMS",
        "Not active at first, in the category: one-time password",
        "shop: the type “shop” is not known; it becomes text.",
    ]


@pytest.mark.django_db
def test_plan__says_that_a_new_one_has_no_parameters():
    [change] = plan_of(template("greeting")).changes

    assert change.category == "transactional"
    assert change.sentences() == [
        "It has no parameters.",
        "Not active at first, in the category: transactional",
    ]


@pytest.mark.django_db
def test_plan__says_what_changes(order_template):
    order_template.parameters.filter(name="order_code").update(pattern="^X$")
    told = {**ORDER, "amount": ("otp", ""), "shop": ("name", "")}

    [change] = plan_of(template("order_confirmation", **told)).changes

    assert not change.is_new
    assert change.sentences() == [
        "Parameter customer_name: at most 200 characters → at most 30 characters",
        "Parameter order_code: at most 200 characters → at most 30 characters, "
        "pattern ^X$ → pattern ^DH-[0-9]+$",
        "Parameter amount: amount in dong → one-time password, "
        "at most 12 characters → at most 10 characters, never stored or shown",
        "New parameter shop: text, at most 30 characters",
        "The provider does not name these parameters; they stay: note.",
    ]


@pytest.mark.django_db
def test_plan__tells_of_parameters_that_are_gone(otp_template):
    plan = plan_of(template("login_otp"))

    assert plan.changes == []
    [remark] = plan.remarks
    assert remark.gone == ("otp",)


@pytest.mark.django_db
@pytest.mark.parametrize("is_complete", [True, False])
def test_plan__tells_of_templates_that_are_gone_where_the_list_is_whole(otp_template, is_complete):
    MessageTemplate.objects.create(code="other", account="other")

    plan = plan_of(is_complete=is_complete)

    assert plan.gone == (("login_otp",) if is_complete else ())
    assert plan.sentences() == [
        "The provider does not list these templates; they stay: login_otp."
        if is_complete
        else "The provider may have more templates than it told."
    ]


@pytest.mark.django_db
def test_plan__tells_what_it_leaves_out(otp_template):
    MessageTemplate.objects.create(code="elsewhere", account="other")
    plan = plan_of(
        template("elsewhere"),
        template("LOGIN_otp"),
        template("same"),
        template("SAME"),
        ProviderTemplate(code="odd", parameters=None),
        ProviderTemplate(code="login_otp", parameters=None),
        contradictory=("twice",),
        unusable=2,
        is_complete=True,
    )

    assert [change.code for change in plan.changes] == ["same"]
    assert {remark.code: remark.notes for remark in plan.remarks} == {
        "elsewhere": ("Here it belongs to the account “other”.",),
        "LOGIN_otp": ("Its code differs only in case from login_otp.",),
        "SAME": ("Its code differs only in case from same.",),
        "odd": ("Its parameters cannot be understood.",),
        "login_otp": ("Its parameters cannot be understood.",),
        "twice": ("The provider describes it in two ways.",),
    }
    assert plan.sentences() == ["2 entries of the provider's list have no code to send by."]


@pytest.mark.django_db
def test_plan__leaves_out_names_that_no_parameter_can_have():
    told = {"no name": ("", ""), "a\u202e": ("", ""), "otp": ("", ""), "OTP": ("", "")}

    [change] = plan_of(template(**told)).changes

    assert [one.after.name for one in change.parameters] == ["otp"]
    assert change.notes == (
        "“no name” is left out: it is no name that a parameter can have here.",
        "“a\\u202e” is left out: it is no name that a parameter can have here.",
        "OTP is left out: there is otp already.",
    )


@pytest.mark.django_db
def test_plan__of_hundreds_of_templates_takes_two_queries(order_template):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        plan_of(*(template(f"T{number}", otp=("otp", "")) for number in range(300)))

    assert len(queries) == 2


@pytest.mark.django_db
def test_fingerprint__stands_for_the_changes(order_template):
    plan = plan_of(template("new", otp=("otp", "")))
    fingerprint = plan.fingerprint

    assert plan_of(template("new", otp=("otp", ""))).has_fingerprint(fingerprint)
    assert plan_of(template("new", otp=("otp", "")), unusable=3).has_fingerprint(fingerprint)
    for other in (
        plan_of(),
        plan_of(template("new", otp=("otp", "^1$"))),
        plan_of(template("new", otp=("otp", "")), template("more")),
        plan_of(template("newer", otp=("otp", ""))),
        compared("other", plan.listed),
    ):
        assert not other.has_fingerprint(fingerprint)
    assert not plan.has_fingerprint("\ud800")


# --- Taking over --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_import__new_template_is_not_active_and_has_its_parameters():
    [made] = import_templates(plan_of(template("login", otp=("otp", "^1"), name=("name", ""))))

    made.refresh_from_db()
    assert (made.code, made.account, made.is_active) == ("login", "default", False)
    assert (made.name, made.text, made.route) == ("", "", None)
    assert made.category == "otp"
    assert stored("login") == [("otp", "otp", None, "^1"), ("name", "text", 30, "")]
    assert made.parameters.get(name="otp").secret


@pytest.mark.django_db
def test_import__changes_parameters_and_nothing_else(order_template, default_route):
    order_template.route = default_route
    order_template.save()
    order_template.parameters.filter(name="amount").update(example="7", required=False)
    before = MessageTemplate.objects.values().get()

    import_templates(
        plan_of(template("order_confirmation", order_code=("code", "^DH"), amount=("name", "")))
    )

    assert MessageTemplate.objects.values().get() == before
    assert stored("order_confirmation") == [
        ("customer_name", "text", None, ""),
        ("order_code", "text", 30, "^DH"),
        ("amount", "text", 30, ""),
        ("delivery_date", "date", None, ""),
        ("note", "text", None, ""),
    ]
    amount = order_template.parameters.get(name="amount")
    assert (amount.example, amount.required, amount.position) == ("7", False, 2)


@pytest.mark.django_db
def test_import__new_parameters_come_last(order_template):
    import_templates(plan_of(template("order_confirmation", shop=("", ""), hotline=("phone", ""))))

    assert [name for name, *_ in stored("order_confirmation")[-3:]] == ["note", "shop", "hotline"]


@pytest.mark.django_db
def test_import__twice_changes_nothing_the_second_time(order_template):
    listed = [template("order_confirmation", **ORDER), template("new", otp=("", "(a+)+"))]
    import_templates(plan_of(*listed))

    assert plan_of(*listed).changes == []


@pytest.mark.django_db
def test_import__of_chosen_codes():
    plan = plan_of(template("one"), template("two"), template("three"))

    made = import_templates(plan, ["three", "one"])

    assert [one.code for one in made] == ["one", "three"]
    assert not MessageTemplate.objects.filter(code="two").exists()


@pytest.mark.django_db
def test_import__of_nothing_chosen():
    assert import_templates(plan_of(template("one")), []) == []
    assert not MessageTemplate.objects.exists()


@pytest.mark.django_db
def test_import__of_a_code_that_nothing_changes(otp_template):
    with pytest.raises(ValueError, match="one of these codes"):
        import_templates(plan_of(template("one")), ["one", "login_otp"])

    assert not MessageTemplate.objects.filter(code="one").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda: MessageTemplate.objects.create(code="one"),
        lambda: MessageTemplate.objects.create(code="one", account="other"),
        lambda: MessageTemplate.objects.get().parameters.all().delete(),
        lambda: MessageTemplate.objects.get().parameters.update(pattern="^9"),
        lambda: MessageTemplate.objects.all().delete(),
    ],
)
def test_import__what_was_changed_meanwhile_is_written_over_by_none(otp_template, meanwhile):
    plan = plan_of(template("one"), template("login_otp", otp=("otp", "^1"), more=("", "")))
    meanwhile()
    before = list(MessageTemplate.objects.values_list("code", "parameters__name"))

    with pytest.raises(ImportOutdated, match="changed meanwhile"):
        import_templates(plan)

    assert list(MessageTemplate.objects.values_list("code", "parameters__name")) == before


@pytest.mark.django_db
def test_import__what_was_changed_elsewhere_is_no_hindrance(otp_template):
    plan = plan_of(template("one"), template("login_otp", otp=("otp", "^1")))
    otp_template.parameters.update(pattern="^9")

    assert [made.code for made in import_templates(plan, ["one"])] == ["one"]


@pytest.mark.django_db
def test_import__code_that_the_database_takes_for_another(monkeypatch):
    plan = plan_of(template("one"))

    def clash(**fields):
        raise IntegrityError

    monkeypatch.setattr(MessageTemplate, "save", lambda self, **options: clash())

    with pytest.raises(ImportOutdated, match="is there already") as caught:
        import_templates(plan)

    assert caught.value.__context__ is None


@pytest.mark.django_db(transaction=True)
def test_import__first_statement_of_its_transaction_is_a_write():
    plan = plan_of(template("one"))

    with CaptureQueriesContext(connection) as queries:
        import_templates(plan)

    statements = (query["sql"] for query in queries)
    first = next(
        itertools.dropwhile(lambda sql: sql.upper().startswith(("BEGIN", "START")), statements)
    )
    assert first.startswith("UPDATE")


@pytest.mark.django_db(transaction=True)
def test_import__by_two_at_once_writes_once(otp_template):
    plan = plan_of(template("one", name=("name", "")), template("login_otp", more=("", "")))
    start = threading.Barrier(2)

    def take_over(_number: int) -> str:
        start.wait()
        try:
            return f"{len(import_templates(plan))} written"
        except ImportOutdated:
            return "outdated"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(take_over, range(2))) == ["2 written", "outdated"]

    assert [name for name, *_ in stored("one")] == ["name"]
    assert [name for name, *_ in stored("login_otp")] == ["otp", "more"]


@pytest.mark.django_db(transaction=True)
def test_import__then_what_was_imported_can_be_sent(live, default_route):
    live.templates = {"login_otp": {"otp": ("otp", "^[0-9]{6}$")}}
    import_templates(check_import())
    MessageTemplate.objects.update(is_active=True)

    assert send_message("login_otp", "0912345678", {"otp": "123456"}).status == "accepted"
