"""The words that the simulator's tests share: how a client talks to it."""

import http.client
import json
import socket
from urllib.parse import urlsplit

SEND = "/api/OmniMessage/SendMessage"
STATUS = "/api/OmniReport/GetStatusOmni"
ORDINARY_NUMBER = "84912345678"


def connect(simulator):
    url = urlsplit(simulator.base_url)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=5)


def request(simulator, method, path, body=None, headers=None):
    connection = connect(simulator)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def message(phone_number=ORDINARY_NUMBER, **fields):
    return {
        "username": "shop",
        "password": "opens",
        "phonenumber": phone_number,
        "routerule": ["1", "3"],
        "templatecode": "OTP",
        "list_param": {"otp": "123456"},
    } | fields


def send(simulator, phone_number=ORDINARY_NUMBER, **fields):
    response, body = request(simulator, "POST", SEND, json.dumps(message(phone_number, **fields)))
    return response.status, body.decode()


def ask(simulator, provider_message_id, **fields):
    wanted = {"username": "shop", "password": "opens", "idOmniMess": provider_message_id} | fields
    response, body = request(simulator, "POST", STATUS, json.dumps(wanted))
    return response.status, body.decode()


def accepted_id(simulator, phone_number=ORDINARY_NUMBER, **fields):
    send(simulator, phone_number, **fields)
    return simulator.receipts[-1].provider_message_id


def raw_exchange(simulator, sent):
    url = urlsplit(simulator.base_url)
    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received
