"""Answers to SendMessage that are put together from pieces whose meaning is known."""

import dataclasses
import gzip
import json

from .wire_answers import (
    ACCEPTED,
    ENDS,
    ENOUGH,
    LARGEST_BODY,
    PASSWORD,
    REASONS,
    REJECTED,
    SECRET,
    UNKNOWN,
    UNSETTLED,
    Answer,
    End,
    Kind,
    accepting,
    chunks,
    http,
    id_of,
    in_pieces,
    key,
    members,
    number_text,
    said,
    sentence,
    text,
    with_id,
)


def _accepted(chance, number):
    return http(chance, accepting(chance, number), ACCEPTED, reason="", provider_id=id_of(number))


def _accepted_with_odd_id(chance, number):
    odd = [
        ("null", ""),
        ('""', ""),
        ("[]", ""),
        ('["ICOMNI1"]', ""),
        ('{"id": "ICOMNI1"}', ""),
        ("true", ""),
        ("1.5", ""),
        (f'"{"9" * 101}"', ""),
        (f'"{"9" * 100}"', "9" * 100),
        ("8" * 101, ""),
        (f"-{number}", f"-{number}"),
        (number, number),
        (f'" \\t{number}\\n"', number),
        ('"ICOMNI\\u0000"', ""),
        ('"ICOMNI\\ud800"', ""),
        ('"ICOMNI\\u0085x"', ""),
        ('"Mã số"', "Mã số"),
    ]
    written, told = chance.choice(odd)
    body = said(chance, number_text(chance, 1), "Success", [(key(chance, "idOmniMess"), written)])
    if chance.random() < 0.1:
        body, told = said(chance, number_text(chance, 1), "Success"), ""
    return http(chance, body, ACCEPTED, reason="", provider_id=told)


def _accepted_twice_over(chance, number):
    """One key in two spellings that say the same."""
    value = number_text(chance, 1)
    body = said(
        chance,
        value,
        "Success",
        [('"sTatus"', value), ('"idOmniMess"', f'"{number}"'), ('" IdOmniMess "', f'"{number}"')],
    )
    return http(chance, body, ACCEPTED, reason="", provider_id=number)


def _accepted_at_the_limit(chance, number):
    body = accepting(chance, number).encode()
    return http(
        chance, body + b" " * (LARGEST_BODY - len(body)), ACCEPTED, provider_id=id_of(number)
    )


def _accepted_in_odd_dress(chance, number):
    """A byte order mark, white space, and headers that say something else."""
    body = accepting(chance, number)
    kind = chance.choice(["text/html", "application/json; charset=utf-16", "image/png", ""])
    body = chance.choice(["\ufeff", "", "\r\n"]) + body + chance.choice(["", "\n\n", " \t"])
    headers = {"Content-Type": kind} | chance.choice(_HARMLESS)
    return http(chance, body, ACCEPTED, headers=headers, provider_id=id_of(number))


_HARMLESS: list[dict[str, str]] = [
    {"Content-Encoding": "identity"},
    {"Content-Encoding": ""},
    {"Location": "/api/OmniMessage/SendMessage"},
    {"Refresh": "0; url=/api/OmniMessage/SendMessage"},
    {"Retry-After": "0"},
    {"Set-Cookie": f"session={SECRET}"},
    {"Alt-Svc": 'h2=":443"'},
    {"Upgrade": "h2c", "Connection": "upgrade"},
    {"Warning": "110 - stale"},
]


def _refused(chance, number):
    status = chance.choice(list(REASONS))
    body = said(chance, number_text(chance, status), sentence(chance, status))
    return http(chance, body, REJECTED, reason=REASONS[status])


def _unauthorized(chance, number):
    words, reason = chance.choice(
        [
            ("Unauthorized", "credentials"),
            ("Can't access from this IP", "address"),
            ("", "credentials"),
            (f"No such user: proof, {PASSWORD}", "credentials"),
        ]
    )
    bodies = [
        words,
        json.dumps(words),
        json.dumps({"message": words}),
        said(chance, number_text(chance, 1), words),
        f"<html><body><h1>{words}</h1></body></html>",
    ]
    headers = chance.choice(
        [{}, {"WWW-Authenticate": 'Basic realm="x"'}, {"WWW-Authenticate": "Negotiate"}]
    )
    return http(
        chance, chance.choice(bodies), REJECTED, status="401", headers=headers, reason=reason
    )


def _unauthorized_out_of_all_bounds(chance, number):
    if chance.random() < 0.5:
        body = b"Unauthorized " * 10_000
        return Answer("", (_head(401, len(body)) + body,), End.CLOSES, REJECTED)
    noise = gzip.compress(b"Unauthorized", mtime=0)
    headers = {"Content-Encoding": "gzip"}
    return http(chance, noise, REJECTED, status="401", headers=headers, reason="credentials")


def _not_of_the_table(chance, number):
    odd = [
        0,
        2,
        3,
        -4,
        -5,
        -7,
        -10,
        10,
        11,
        100,
        200,
        -100,
        999_999_999,
        10**400,
        -(2**31),
        2**64 + 1,
    ]
    status = chance.choice(odd)
    body = said(chance, number_text(chance, status), "Success", with_id(chance, number))
    return http(chance, body, UNKNOWN, reason="bad_answer")


def _no_number(chance, number):
    status = chance.choice(_NO_NUMBERS)
    if chance.random() < 0.1:
        status = json.dumps(SECRET)
    body = said(chance, status, "Success", with_id(chance, number))
    if chance.random() < 0.1:
        pairs = [('"code"', '"Success"'), ('"state"', '"1"'), *with_id(chance, number)]
        body = members(chance, pairs)
    return http(chance, body, UNKNOWN, reason="bad_answer")


_NO_NUMBERS = [
    *("null", "true", "false", "1.0", "-1.0", "1e0", "[]", '["1"]', "[1]", "{}", '{"1": 1}'),
    *('"1.0"', '"01"', '"+1"', '"-01"', '"1 1"', '"one"', '"OK"', '"- 1"', '"-"', '"0x1"'),
    *('"1_0"', '"1,-1"', '"1;"', r'"\"1\""', '"NaN"', '"-0"', '"--1"', '"1e0"', '""'),
    *(r'"\u0661"', r'"\uff11"', r'"1\u0000"', r'"\u22121"', r'"\ud800"'),
]


def _contradiction(chance, number):
    first, second = chance.sample(
        ["1", '"1"', "-1", '"-2"', "null", "true", '"01"', "[]", "1.0"], 2
    )
    pairs = [('"status"', first), (chance.choice(['"Status"', '"status "', '" STATUS"']), second)]
    pairs += with_id(chance, number)
    if chance.random() < 0.3:
        pairs = [('"status"', '"1"'), ('"idOmniMess"', '"a"'), ('" idOmniMess "', '"b"')]
    chance.shuffle(pairs)
    return http(chance, members(chance, pairs), UNKNOWN, reason="bad_answer")


def _repeated_key(chance, number):
    second = chance.choice(['"1"', "1", '"-1"', "null"])
    name = chance.choice(['"status"', '" status "'])
    pairs = [(name, '"1"'), *with_id(chance, number), (name, second)]
    if chance.random() < 0.3:
        pairs = [('"status"', '"1"'), ('"extra"', '{"a": 1, "a": 1}')]
    return http(chance, members(chance, pairs), UNKNOWN, reason="bad_answer")


def _not_json(chance, number):
    good = accepting(chance, number)
    bodies = [
        "",
        " ",
        "1",
        '"1"',
        "null",
        "true",
        "[]",
        f"[{good}]",
        json.dumps(good),
        good + good,
        good + ";",
        good[:-1],
        good[1:],
        good[:-1].rstrip() + ",}",
        good.replace('"', "'"),
        f"callback({good})",
        f")]}}',\n{good}",
        f"<html><body><pre>{good}</pre>{SECRET}</body></html>",
        f"status=1&code=Success&pin={SECRET}&password={PASSWORD}",
        f"/* {SECRET} */ {good}",
        "\x00" + good,
        good + "\x00",
        good.replace("{", "{\x00", 1),
        "data: " + good + "\n\n",
        good.replace(":", "=", 1),
    ]
    return http(chance, chance.choice(bodies), UNKNOWN, reason="bad_answer")


def _no_number_of_json(chance, number):
    value = chance.choice(["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "7" * 5_000])
    body = said(
        chance, '"1"', "Success", [*with_id(chance, number), (text(chance, "extra_"), value)]
    )
    return http(chance, body, UNKNOWN, reason="bad_answer")


def _wrong_encoding(chance, number):
    good = members(
        chance, [('"status"', '"1"'), ('"code"', '"Thành công"'), *with_id(chance, number)]
    )
    encoded = chance.choice(
        [
            good.encode("utf-16"),
            good.encode("utf-16-le"),
            good.encode("utf-32"),
            good.encode("cp1258", "replace").replace(b"?", b"\xe0"),
            good.encode().replace(b"T", b"\xed\xa0\x80"),
            good.encode().replace(b"T", b"\xc0\xaf"),
            good.encode().replace(b"T", b"\xff"),
            good.encode()[::-1],
            good.encode("utf-7"),
        ]
    )
    if encoded.startswith(b"{") and encoded.isascii():
        encoded = b"\xfe" + encoded
    headers = {"Content-Type": "application/json; charset=utf-16"}
    return http(chance, encoded, UNKNOWN, headers=headers, reason="bad_answer")


def _other_http_status(chance, number):
    status = str(chance.choice(_OTHER_STATUSES))
    body = accepting(chance, number)
    if chance.random() < 0.3:
        body = said(chance, number_text(chance, -1), sentence(chance, -1))
    if chance.random() < 0.3:
        body = f"<html><h1>{status}</h1>{SECRET}</html>"
    headers = chance.choice(
        [
            {},
            {"Retry-After": "0"},
            {"Content-Type": "text/html"},
            {"Proxy-Authenticate": "Basic"},
            {"Location": "/api/OmniMessage/SendMessage"},
        ]
    )
    if status in ("204", "205", "304"):
        raw = f"HTTP/1.1 {status} None\r\nContent-Length: 0\r\n\r\n".encode()
        return Answer("", (raw,), chance.choices(*ENDS)[0], UNKNOWN, "bad_answer")
    return http(chance, body, UNKNOWN, status=status, headers=headers, reason="bad_answer")


_OTHER_STATUSES = [
    *(201, 202, 203, 204, 205, 206, 226, 299, 300, 304, 400, 402, 403, 404, 405, 406, 407, 408),
    *(409, 410, 411, 413, 415, 417, 421, 422, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502),
    *(503, 504, 505, 511, 520, 599, 600, 999),
]


def _redirect(chance, number):
    where = chance.choice(
        [
            "/api/OmniMessage/SendMessage",
            "/api/OmniMessage/SendMessage?again=1",
            "//127.0.0.1:1/",
            "http://127.0.0.1:1/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
            "",
            "\\",
        ]
    )
    status = chance.choice(["301", "302", "303", "307", "308"])
    return http(
        chance,
        accepting(chance, number),
        UNKNOWN,
        status=status,
        headers={"Location": where},
        reason="bad_answer",
    )


def _no_final_status(chance, number):
    status = chance.choice(["101", "102", "103", "110", "199"])
    head = f"HTTP/1.1 {status} Hints\r\nLink: </a>; rel=preload\r\n\r\n".encode()
    body = accepting(chance, number).encode()
    raw = head + (_head(200, len(body)) + body if chance.random() < 0.7 else b"")
    return Answer("", in_pieces(chance, raw), End.CLOSES, UNKNOWN)


def _encoded(chance, number):
    good = accepting(chance, number).encode()
    body = chance.choice(
        [good, gzip.compress(good, mtime=0), gzip.compress(bytes(3_000_000), mtime=0), b""]
    )
    claimed = chance.choice(
        ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "gzip, identity", "?"]
    )
    answer = http(chance, body, UNKNOWN, headers={"Content-Encoding": claimed}, reason="bad_answer")
    if chance.random() < 0.3:
        pair = [b"Content-Encoding: gzip", b"content-encoding: identity"]
        chance.shuffle(pair)
        lines = [b"HTTP/1.1 200 OK", *pair, b"Content-Length: %d" % len(good), b"", good]
        return dataclasses.replace(answer, pieces=(b"\r\n".join(lines),))
    return answer


def _two_lengths(chance, number):
    body = accepting(chance, number).encode()
    other = chance.choice([0, 1, len(body) - 1, len(body) + 1, len(body) * 10, 10**30])
    pair = [b"Content-Length: %d" % len(body), b"content-length: %d" % other]
    chance.shuffle(pair)
    raw = b"\r\n".join([b"HTTP/1.1 200 OK", *pair, b"", body])
    return Answer("", in_pieces(chance, raw), End.CLOSES, UNKNOWN)


def _cut_body(chance, number):
    body = accepting(chance, number).encode()
    missing = chance.choice([1, 2, 50, 10_000, 10**15])
    raw = _head(200, len(body) + missing) + body
    if chance.random() < 0.3:
        whole = chunks(chance, body)
        end = whole.rindex(b"\r\n0\r\n")
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = head + whole[: chance.randint(0, end)]
    end = chance.choice([End.CLOSES, End.CLOSES, End.RESETS])
    return Answer("", in_pieces(chance, raw), end, UNKNOWN)


def _short_length(chance, number):
    body = accepting(chance, number).encode()
    raw = _head(200, chance.randrange(len(body))) + body
    return Answer("", (raw,), chance.choice([End.CLOSES, End.KEEPS]), UNKNOWN)


def _cut_head(chance, number):
    answer = _accepted(chance, number)
    head = answer.raw.rpartition(b"\r\n\r\n")[0]
    raw = head[: chance.randrange(len(head))] if b"\r\n\r\n" not in head else head[:20]
    end = chance.choice([End.CLOSES, End.CLOSES, End.RESETS])
    return Answer("", (raw,), end, UNKNOWN)


def _oversized(chance, number):
    body = accepting(chance, number).encode()
    over = chance.choice([1, 1, 2, 1_000, LARGEST_BODY, 1_000_000])
    body += b" " * (LARGEST_BODY - len(body) + over)
    frame = chance.choice(["length", "chunked", "close"])
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    if frame == "length":
        head = _head(200, len(body))
    elif frame == "chunked":
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = chunks(chance, body)
    return Answer("", (head + body,), End.CLOSES, UNKNOWN)


def _flood(chance, number):
    body = accepting(chance, number).encode()
    floods = [
        b"".join(b"X-%d: %s\r\n" % (place, b"v" * 200) for place in range(ENOUGH // 200)),
        b"X: " + b"v" * ENOUGH + b"\r\n",
        # Unfolded, as libcurl counts them, they are half as long.
        b"X: v\r\n" + b" v\r\n" * ENOUGH,
        b"Set-Cookie: a=b\r\n" * (ENOUGH // 17),
    ]
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    raw = b"HTTP/1.1 200 OK\r\n" + chance.choice(floods) + length + body
    if chance.random() < 0.2:
        raw = b"HTTP/1.1 100 Continue\r\n\r\n" * (ENOUGH // 25 + 1) + _head(200, len(body)) + body
    return Answer("", (raw,), End.CLOSES, UNKNOWN)


def _not_http(chance, number):
    good = accepting(chance, number).encode()
    rest = b"\r\nContent-Length: %d\r\n\r\n" % len(good) + good
    raw = chance.choice(
        [
            good,
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"220 smtp ready\r\n" + rest,
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + good,
            b"RTSP/1.0 200 OK" + rest,
            b"ICY 200 OK" + rest,
            b"FTP/1.1 200 OK" + rest,
            b"HTTPS/1.1 200 OK" + rest,
            b"HTTP/ 200 OK" + rest,
            b"HTTP/1.1" + rest,
            b"HTTP/1.1 " + rest,
            b"HTTP/1.1 OK" + rest,
            b"HTTP/1.1 OK 200" + rest,
            b"<html>HTTP/1.1 200 OK" + rest,
            chance.randbytes(chance.choice([1, 10, 1_000])),
            b"\x00" + b"HTTP/1.1 200 OK" + rest,
        ]
    )
    return Answer("", in_pieces(chance, raw), End.CLOSES, UNKNOWN)


def _no_status_code(chance, number):
    """Three digits make a code, and no others do."""
    good = accepting(chance, number).encode()
    code = chance.choice(_NO_CODES)
    raw = b"HTTP/1.1 " + code + b" OK\r\nContent-Length: %d\r\n\r\n" % len(good) + good
    return Answer("", in_pieces(chance, raw), End.CLOSES, UNKNOWN)


_NO_CODES = [
    *(b"+200", b"2_00", b"0200", b"00200", b"2000", b"20", b"2", b"-200", b"0xc8", b"2OO"),
    *(b"200.0", b"2e2", b"200,200", b"\xb2\xb0\xb0", b"200;", b"20 0", b"2 00", b"000"),
    *(b"+401", b"4_01", b"0401"),
]


def _odd_frame(chance, number):
    body = accepting(chance, number).encode()
    length = b"Content-Length: %d" % len(body)
    first = b"HTTP/1.1 200 OK"
    heads = [
        [first, b"X-Folded: a", b"\tb", b"  c", length],
        [first, b" : folded first", length],
        [first, b"Content-Length:", b" %d" % len(body)],
        [first, b"Content-Length : %d" % len(body)],
        [first, b"no colon in it", length],
        [first, b": no name", length],
        [first, b"X-\xff\xfe: \x80\x85\xa0", length],
        [first, b"X: a\x00b", length],
        [first, b"X: a\rb", length],
        [first, b"X: a\x0bContent-Length: 5", length],
        [first, *(b"X-%d: 1" % place for place in range(150)), length],
        [first, length, length],
        [first, b"Content-Length: %d, %d" % (len(body), len(body))],
        [first, b"Content-Length: -1"],
        [first, b"Content-Length: +%d" % len(body)],
        [first, b"Content-Length: x"],
        [first, b"Transfer-Encoding: identity", length],
        [b"HTTP/1.1 200", length],
        [b"HTTP/1.1  200  OK", length],
        [b"HTTP/1.1\t200\tOK", length],
        [b"HTTP/1.2 200 OK", length],
        [b"HTTP/2 200 OK", length],
        [b"HTTP/0.9 200 OK", length],
        [b"http/1.1 200 OK", length],
        [b"", first, length],
    ]
    newline = chance.choice([b"\r\n", b"\r\n", b"\n"])
    raw = newline.join([*chance.choice(heads), b"", body])
    if chance.random() < 0.1:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        size = chance.choice([b"%x ", b" %x", b"0x%x", b"+%x", b"-%x", b"%x\t;a"]) % len(body)
        raw = head + size + b"\r\n" + body + b"\r\n0\r\n\r\n"
    return Answer("", (raw,), End.CLOSES, UNSETTLED)


def _too_deep(chance, number):
    """How deep is too deep is the business of Python's reader of JSON."""
    depth = chance.choice([2_000, 20_000, 30_000])
    left, right = chance.choice([("[", "]"), ('{"a":', "}")])
    if len(left) > 1:
        depth //= 4
    value = left * depth + ("1" if len(left) > 1 else "") + right * depth
    body = members(chance, [('"status"', '"1"'), ('"extra"', value), *with_id(chance, number)])
    return http(chance, body, UNSETTLED)


def _no_answer(chance, number):
    end = chance.choice([End.CLOSES, End.RESETS])
    return Answer("", (), end, UNKNOWN, "connection_lost")


def _no_end(chance, number):
    body = accepting(chance, number).encode()
    raw = chance.choice([b"", _head(200, len(body))[:-2], _head(200, len(body) + 1) + body])
    return Answer("", (raw,), End.HANGS, UNKNOWN, "timeout")


def _head(status: int, length: int) -> bytes:
    return f"HTTP/1.1 {status} OK\r\nContent-Length: {length}\r\n\r\n".encode()


KINDS: dict[str, Kind] = {
    "accepted": (30, _accepted),
    "accepted with an id of an odd form": (4, _accepted_with_odd_id),
    "accepted twice over": (2, _accepted_twice_over),
    "accepted by a body of 64 KiB": (0.4, _accepted_at_the_limit),
    "accepted in odd dress": (4, _accepted_in_odd_dress),
    "refused": (10, _refused),
    "401": (3, _unauthorized),
    "401 out of all bounds": (0.3, _unauthorized_out_of_all_bounds),
    "a status that is not of the table": (4, _not_of_the_table),
    "a status that is none": (5, _no_number),
    "two statuses": (3, _contradiction),
    "a key twice": (2, _repeated_key),
    "no JSON": (5, _not_json),
    "a number that is none of JSON's": (2, _no_number_of_json),
    "not in UTF-8": (2, _wrong_encoding),
    "another HTTP status": (5, _other_http_status),
    "a redirect": (2, _redirect),
    "no final HTTP status": (1, _no_final_status),
    "encoded": (3, _encoded),
    "two lengths": (2, _two_lengths),
    "cut off in the body": (3, _cut_body),
    "longer than it says": (1, _short_length),
    "cut off in the head": (1, _cut_head),
    "too large": (0.5, _oversized),
    "a flood of headers": (0.3, _flood),
    "no HTTP": (2, _not_http),
    "no HTTP status": (2, _no_status_code),
    "an odd frame": (4, _odd_frame),
    "nested deep": (0.5, _too_deep),
    "no answer": (1, _no_answer),
    "no end": (0.15, _no_end),
}
