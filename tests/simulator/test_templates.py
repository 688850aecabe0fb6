"""GetTemplate as the simulated gateway answers it."""

import json

import pytest

from django_etelecom.simulator import Simulator

from .conversation import request

PATH = "/api/TemplateOmni/GetTemplate"


def listed(simulator, **fields):
    wanted = {
        "Page": 1,
        "ItemCount": 10,
        "TemplateCode": "",
        "Username": "shop",
        "Password": "opens",
    } | fields
    response, body = request(simulator, "POST", PATH, json.dumps(wanted))
    return response.status, body.decode()


def codes(simulator, **fields):
    status, body = listed(simulator, **fields)
    assert status == 200
    return [template["TemplateCode"] for template in json.loads(body)["ListTemp"]]


def test_list__has_a_sample_by_default(simulator):
    _, body = listed(simulator)

    answer = json.loads(body)
    assert (answer["Page"], answer["TotalItem"]) == (1, 2)
    assert answer["ListTemp"][1] == {
        "TemplateCode": "login_otp",
        "SenderChannel": {"1": "Simulated OA", "2": "19001234", "3": "SIMULATOR"},
        "ParamsFormat": {"otp": {"Regex": "^[0-9]{4,8}$", "Type": "otp"}},
    }
    [receipt] = simulator.receipts
    assert (receipt.path, receipt.outcome, receipt.template_code) == (PATH, None, "")


def test_list__can_be_given_and_set_later():
    with Simulator(templates={"A": {"name": ("name", "")}}) as simulator:
        assert codes(simulator) == ["A"]
        simulator.templates = {"B": {}}
        assert simulator.templates == {"B": {}}
        assert codes(simulator) == ["B"]


def test_list__by_pages():
    with Simulator(templates={f"T{number}": {} for number in range(5)}) as simulator:
        pages = [codes(simulator, Page=page, ItemCount=2) for page in (1, 2, 3, 4)]

        assert pages == [["T0", "T1"], ["T2", "T3"], ["T4"], []]
        assert codes(simulator, TemplateCode="T3") == ["T3"]
        assert codes(simulator, TemplateCode="T9") == []


@pytest.mark.parametrize("number", [0, -1, "2", None, True, 10**6])
def test_list__odd_numbers_are_one(number):
    with Simulator(templates={"A": {}, "B": {}}) as simulator:
        assert codes(simulator, Page=number, ItemCount=number) == ["A"]


@pytest.mark.parametrize("fields", [{"Username": ""}, {"Password": None}, {"Username": ["shop"]}])
def test_list__wrong_credentials(simulator, fields):
    assert listed(simulator, **fields) == (401, "Unauthorized")


def test_list__only_the_account_given():
    with Simulator(credentials=("shop", "opens")) as simulator:
        assert listed(simulator)[0] == 200
        assert listed(simulator, Password="guessed")[0] == 401


def test_absent__for_an_account_of_that_name(simulator):
    assert listed(simulator, Username="no-templates") == (404, "Not Found")


def test_absent__for_everybody():
    with Simulator(templates=None) as simulator:
        assert listed(simulator) == (404, "Not Found")


def test_other_requests(simulator):
    assert request(simulator, "GET", PATH)[0].status == 405
    assert request(simulator, "POST", PATH, b"[]")[0].status == 400
