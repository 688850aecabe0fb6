"""The second reader finds what an answer says, and no more."""

import pytest

from proof.reading import read_send, read_status

GOOD = b'{"status": "1", "code": "Success", "idOmniMess": "ICOMNI1"}'


def http(body=GOOD, *, status=b"HTTP/1.1 200 OK", headers=(), length=True):
    lines = [status, *headers, *([b"Content-Length: %d" % len(body)] if length else [])]
    return b"\r\n".join([*lines, b"", body])


def test_read_send__accepted_with_its_id():
    reading = read_send(http())

    assert reading.statuses == {"accepted", "unknown"}
    assert reading.ids == {"ICOMNI1", ""}


@pytest.mark.parametrize(
    "raw",
    [
        http(length=False),
        b"\n".join([b"HTTP/1.1 200 OK", b"X: 1", b"", GOOD]),
        b"HTTP/1.1 100 Continue\r\n\r\n" + http(),
        http(b'{" Status ": 1}'),
        http(b"\xef\xbb\xbf" + GOOD),
        http(
            b"5\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\n\r\n" % (GOOD[:5], len(GOOD) - 5, GOOD[5:]),
            headers=[b"Transfer-Encoding: chunked"],
            length=False,
        ),
        http(
            b"%x\r\n%b\r\r\r\n0\r\n\r\n" % (len(GOOD), GOOD),
            headers=[b"Transfer-Encoding: chunked"],
            length=False,
        ),
        http(headers=[b"Content-Encoding: identity"]),
        http() + b"HTTP/1.1 500 Too late\r\n\r\n",
    ],
)
def test_read_send__accepted(raw):
    assert "accepted" in read_send(raw).statuses


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        GOOD,
        http(status=b"HTTP/1.1 2000 OK"),
        http(status=b"HTTP/1.1 +200 OK"),
        http(status=b"HTTP/1.1 2_00 OK"),
        http(status=b"HTTP/1.1 201 Created"),
        http(status=b"HTTP/1.1 500 Broken"),
        http(headers=[b"Content-Length: 5"]),
        http(headers=[b"Content-Encoding: gzip"]),
        http(headers=[b"Content-Encoding: gzip", b"Content-Encoding: identity"]),
        http()[:-1],
        http(GOOD + b"x"),
        http(b"[%b]" % GOOD),
        http(b'{"status": true}'),
        http(b'{"status": 1.0}'),
        http(b'{"status": "01"}'),
        http(b'{"status": "1", "Status": "-1"}'),
        http(b'{"status": "1", "extra": NaN}'),
        http(b'{"status": "1"}' + b" " * 65_536),
        http(b"ff\r\n" + GOOD, headers=[b"Transfer-Encoding: chunked"], length=False),
    ],
)
def test_read_send__nothing(raw):
    assert read_send(raw).statuses == {"unknown"}


@pytest.mark.parametrize(
    "raw",
    [
        http(b'{"status": "-1"}'),
        http(b'{"status": -9}'),
        http(b"Unauthorized", status=b"HTTP/1.1 401 Unauthorized"),
        b"HTTP/1.1 401 Unauthorized",
    ],
)
def test_read_send__rejected(raw):
    assert read_send(raw).statuses == {"rejected", "unknown"}


@pytest.mark.parametrize("status", [b"-4", b'"-7"', b"0"])
def test_read_send__not_of_the_table(status):
    assert read_send(http(b'{"status": %b}' % status)).statuses == {"unknown"}


def test_read_status__delivered():
    body = b'{" S_tatus": "success ", "channel": "SMS"}'

    assert read_status(http(body)).statuses == {"accepted", "delivered"}


@pytest.mark.parametrize("key", [b"status", rb"\n status", rb"\u0053tatus", b"s_tatus"])
def test_read_status__as_the_documentation_prints_it(key):
    body = b'{"list_param":"{"otp":"1"}", "%b":"FAIL"}' % key

    assert read_status(http(body)).statuses == {"accepted", "undelivered"}


@pytest.mark.parametrize(
    "raw",
    [
        http(b'{"status": "SUCCESSFUL"}'),
        http(b'{"status": "1"}'),
        http(b'{"status": "SUCCESS"}', status=b"HTTP/1.1 500 Broken"),
    ],
)
def test_read_status__nothing(raw):
    assert read_status(raw).statuses == {"accepted"}
