"""A POST to the gateway as a site's own code has it: `requests`, with or without its retries."""

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

plain = requests.Session()

retrying = requests.Session()
# `allowed_methods=None`: a POST too, which Retry leaves alone unless it is told to.
retrying.mount("http://", HTTPAdapter(max_retries=Retry(total=3, allowed_methods=None)))
retrying.mount("https://", HTTPAdapter(max_retries=Retry(total=3, allowed_methods=None)))


def post(session: requests.Session, number: str) -> str:
    """Send a message; return the provider's id.

    Raises:
        requests.RequestException: something went wrong.
    """
    account = settings.ETELECOM["ACCOUNTS"]["default"]
    response = session.post(
        f"{account['BASE_URL']}/api/OmniMessage/SendMessage",
        json={
            "username": account["USERNAME"],
            "password": account["PASSWORD"],
            "phonenumber": number,
            "routerule": ["1", "3"],
            "templatecode": "order",
            "list_param": {"order_code": "DH-1024", "pin": "271828"},
        },
        timeout=(settings.CONNECT_TIMEOUT, settings.TIMEOUT),
    )
    response.raise_for_status()
    answer = {name.strip(): value for name, value in response.json().items()}
    if answer["status"] != "1":
        raise requests.RequestException(answer["code"])
    return answer["idOmniMess"]
