"""Answers of a provider that answers anything: each made of a seed and a number, byte by byte.

Two sorts. An answer that is put together from pieces whose meaning is known says what it must come
to. One that was damaged afterwards says nothing: `reading.py` finds what may be read of it at most.
"""

import dataclasses
import enum
import gzip
import itertools
import json
import random
from collections.abc import Callable, Mapping

SECRET = "nightjar-314159"
"""The secret parameter of the messages that have one."""

SEND, GET_STATUS = "/api/OmniMessage/SendMessage", "/api/OmniReport/GetStatusOmni"

PASSWORD = "proof-password"
"""The accounts'."""

LARGEST_BODY = 64 * 1024
"""Bytes of the largest body that is understood."""

ENOUGH = 128 * 1024
"""Bytes after which nobody reads on, head and framing included."""

AT_ONCE = 8 * 1024
"""Bytes that arrive together if they are written together."""

DAMAGED_SHARE = 0.4
"""Of all answers."""

ACCEPTED = frozenset({"accepted"})
REJECTED = frozenset({"rejected"})
UNKNOWN = frozenset({"unknown"})
UNSETTLED = ACCEPTED | UNKNOWN
"""What HTTP leaves to the one who reads: whether it takes so odd a frame."""

REASONS = {
    -1: "phone_number",
    -2: "parameter",
    -3: "out_of_messages",
    -6: "template",
    -8: "route",
    -9: "channel",
}
SENTENCES = {
    1: "Success",
    -1: "PhoneNumber Wrong Format",
    -2: "Wrong Format Parameter: {}",
    -3: "You have run out of messages",
    -6: "Can't find template with templatecode: {} ",
    -8: "Can't find any routing for this request",
    -9: "Can't find any information about channel: {}",
}


class End(enum.StrEnum):
    """What becomes of the connection after an answer."""

    KEEPS = "keeps"
    KEEPS_FOR_NOW = "keeps for now"
    """Closes it if the client, who may wait for more, asks nothing else."""
    CLOSES = "closes"
    RESETS = "resets"
    HANGS = "hangs"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server does with a request."""

    name: str
    """Of what kind it is."""
    pieces: tuple[bytes, ...]
    """What it writes, each piece for itself."""
    end: End = End.KEEPS
    statuses: frozenset[str] | None = None
    """What the message may be called afterwards; None: it was damaged."""
    reason: str | None = None
    """What the message must give as its reason; None: anything."""
    provider_id: str | None = None
    """The id that the message must have where it is accepted; None: anything."""

    @property
    def raw(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def is_exact(self) -> bool:
        """Whether there is one status that it can come to."""
        return self.statuses is not None and len(self.statuses) == 1


def answer_to_send(seed: int, number: str) -> Answer:
    """Return the answer to the SendMessage for a recipient, in wire form."""
    chance = random.Random(f"{seed} send {number}")
    if chance.random() < DAMAGED_SHARE:
        return damaged(chance, lambda: sound_answer(chance, number))
    return sound_answer(chance, number)


def answer_to_status(seed: int, number: str) -> Answer:
    """Return the answer to the GetStatusOmni about the message to a recipient."""
    chance = random.Random(f"{seed} status {number}")
    if chance.random() < DAMAGED_SHARE:
        return damaged(chance, lambda: sound_status(chance, number))
    return sound_status(chance, number)


def id_of(number: str) -> str:
    """Return the id that the provider gives a message."""
    return f"ICOMNI{number}"


def sound_answer(chance: random.Random, number: str) -> Answer:
    name = chance.choices(list(KINDS), _WEIGHTS)[0]
    return dataclasses.replace(KINDS[name][1](chance, number), name=name)


def sound_status(chance: random.Random, number: str) -> Answer:
    name = chance.choices(list(STATUS_KINDS), _STATUS_WEIGHTS)[0]
    return dataclasses.replace(STATUS_KINDS[name][1](chance, number), name=name)


# JSON


def text(chance: random.Random, value: str) -> str:
    """Write a string, now and then with escapes that say the same."""
    written = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.1 and value.isascii() and value.isprintable():
        written = '"' + "".join(f"\\u{ord(one):04x}" for one in value) + '"'
    return written


def key(chance: random.Random, name: str) -> str:
    """Write a key in one of the spellings that are one key."""
    spelled = chance.choice([name, name, name.lower(), name.upper(), name.capitalize()])
    around = chance.choice(["", "", "", " ", "\t", "\n ", "\r\n"])
    return text(chance, around + spelled + chance.choice(["", "", around]))


def number_text(chance: random.Random, value: int) -> str:
    """Write a status in one of the forms that are one status."""
    forms = [
        f'"{value}"',
        f'"{value}"',
        f"{value}",
        f'" {value}"',
        f'"{value} "',
        f'"\\t{value}\\n"',
        '"' + "".join(f"\\u{ord(one):04X}" for one in str(value)) + '"',
    ]
    return chance.choice(forms)


def members(chance: random.Random, pairs: list[tuple[str, str]]) -> str:
    """Write an object, given its keys and values as they are written."""
    gap = chance.choice(["", " ", " ", "\n  "])
    colon = chance.choice([":", ": ", " : "])
    return "{" + gap + f",{gap}".join(name + colon + value for name, value in pairs) + gap + "}"


def sentence(chance: random.Random, status: int) -> str:
    """Return the provider's sentence, which may quote what it was given."""
    quoted = chance.choice(["otp", SECRET, PASSWORD, SECRET.upper(), "xxxxxx"])
    return SENTENCES.get(status, "Something else").format(quoted)


def extra(chance: random.Random) -> list[tuple[str, str]]:
    """Return members that nobody asked for."""
    found = []
    while chance.random() < 0.3 and len(found) < 3:
        name = f"extra{len(found)}"
        found.append((text(chance, name), chance.choice(_EXTRA_VALUES)(chance)))
    if chance.random() < 0.15:
        echo = json.dumps({"order_code": "DH-1", "pin": SECRET, "password": PASSWORD})
        found.append((text(chance, "list_param"), chance.choice([echo, json.dumps(echo)])))
    return found


_EXTRA_VALUES: list[Callable[[random.Random], str]] = [
    lambda chance: chance.choice(["null", "true", "false", "0", "-0.5e-3", "[]", "{}", '""']),
    lambda chance: r'"\u0000\u0001\u001f\u007f"',
    lambda chance: r'"\ud83d and \udc00"',
    lambda chance: json.dumps("Nguyễn \U0001f4e8 \u202e \u2028", ensure_ascii=False),
    lambda chance: "9" * chance.choice([20, 400, 4_000]),
    lambda chance: "[" * 100 + "]" * 100,
    lambda chance: json.dumps("x" * chance.choice([500, 5_000, 20_000])),
    lambda chance: json.dumps({"status": "-1", "nested": [{"idOmniMess": "another"}]}),
    lambda chance: json.dumps(f"{SECRET} {PASSWORD} \"{SECRET}\" '{PASSWORD}'"),
    lambda chance: json.dumps(SECRET.replace("-", "%2D")),
    lambda chance: json.dumps([*SECRET]),
]


def said(
    chance: random.Random, status: str, code: str, more: list[tuple[str, str]] | None = None
) -> str:
    """Return an object with a status, which is given as it is written."""
    pairs = [(key(chance, "status"), status), (key(chance, "code"), text(chance, code))]
    pairs += [*(more or []), *extra(chance)]
    chance.shuffle(pairs)
    return members(chance, pairs)


def accepting(chance: random.Random, number: str) -> str:
    """Return a body by which a message is accepted with its id."""
    told_id = text(chance, chance.choice(["", "", " "]) + id_of(number))
    return said(
        chance,
        number_text(chance, 1),
        sentence(chance, 1),
        [(key(chance, "idOmniMess"), told_id)],
    )


# HTTP


def http(
    chance: random.Random,
    body: bytes | str,
    statuses: frozenset[str] | None,
    *,
    status: str = "200",
    headers: Mapping[str, str] | None = None,
    **told: str | None,
) -> Answer:
    """Return an answer in one of the many sound frames."""
    octets = body.encode() if isinstance(body, str) else body
    version = chance.choices(["HTTP/1.1", "HTTP/1.0"], [9, 1])[0]
    phrase = chance.choice([" OK", " OK", " ", " Không sao"])
    lines = [f"{version} {status}{phrase}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    framings = ["length"] * 6 + ["close"] + ["chunked"] * 3 * (version == "HTTP/1.1")
    framing = chance.choice(framings)
    end = End.CLOSES if framing == "close" else chance.choices(*_ENDS)[0]
    if framing == "length":
        lines.append(chance.choice(_LENGTHS).format(len(octets)))
    if framing == "chunked":
        lines.append(chance.choice(_CHUNKED))
        octets = chunks(chance, octets)
    if version == "HTTP/1.0" and end is End.KEEPS:
        lines.append("Connection: keep-alive")
    elif end is End.CLOSES and chance.random() < 0.7:
        lines.append(chance.choice(["Connection: close", "connection:CLOSE"]))
    lines += [f"X-{position}: {'v' * chance.randrange(60)}" for position in range(_few(chance))]
    head = "\r\n".join([lines[0], *chance.sample(lines[1:], len(lines) - 1), "", ""])
    raw = head.encode() + octets
    if chance.random() < 0.05:
        raw = b"HTTP/1.1 100 Continue\r\n\r\n" * chance.randrange(1, 4) + raw
    pieces = in_pieces(chance, raw)
    if framing != "close" and len(raw) < AT_ONCE and chance.random() < 0.03:
        # With the end of the answer: what comes later nobody can tell from the next answer.
        pieces = (*pieces[:-1], pieces[-1] + excess(chance))
    return Answer("", pieces, end, statuses, **told)


_ENDS = ([End.KEEPS, End.CLOSES], [8, 1])
_LENGTHS = [
    "Content-Length: {}",
    "content-length:{}",
    "CONTENT-LENGTH:  {}  ",
    "Content-length: 00{}",
]
_CHUNKED = [
    "Transfer-Encoding: chunked",
    "transfer-encoding:chunked",
    "Transfer-Encoding: Chunked",
]


def _few(chance: random.Random) -> int:
    return chance.choice([0, 0, 1, 3, 60]) if chance.random() < 0.2 else 0


def chunks(chance: random.Random, body: bytes) -> bytes:
    """Return a body in chunks, their sizes spelled in every way there is."""
    written = bytearray()
    largest = max(1, len(body) // chance.choice([1, 2, 5]))
    while body:
        size = chance.randint(1, largest)
        piece, body = body[:size], body[size:]
        spelled = chance.choice(["{:x}", "{:X}", "00{:x}", "{:x};name=value"]).format(len(piece))
        written += spelled.encode() + b"\r\n" + piece + b"\r\n"
    trailer = chance.choice([b"", b"", b"X-Trailer: 1\r\n"])
    return bytes(written + b"0\r\n" + trailer + b"\r\n")


def in_pieces(chance: random.Random, raw: bytes) -> tuple[bytes, ...]:
    if chance.random() < 0.9:
        return (raw,)
    cuts = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.randint(1, 3)))
    bounds = [0, *cuts, len(raw)]
    return tuple(raw[start:end] for start, end in itertools.pairwise(bounds))


def excess(chance: random.Random) -> bytes:
    stray = b'{"status": "1", "code": "Success", "idOmniMess": "ICOMNI-stray"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(stray) + stray
    return chance.choice([answer, b"\r\n" + answer, b" ", stray])


# What an answer to SendMessage must come to


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
    noise = gzip.compress(b"Unauthorized")
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
    body = said(chance, number_text(chance, status), "Success", _with_id(chance, number))
    return http(chance, body, UNKNOWN, reason="bad_answer")


def _no_number(chance, number):
    status = chance.choice(_NO_NUMBERS)
    if chance.random() < 0.1:
        status = json.dumps(SECRET)
    body = said(chance, status, "Success", _with_id(chance, number))
    if chance.random() < 0.1:
        pairs = [('"code"', '"Success"'), ('"state"', '"1"'), *_with_id(chance, number)]
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
    pairs += _with_id(chance, number)
    if chance.random() < 0.3:
        pairs = [('"status"', '"1"'), ('"idOmniMess"', '"a"'), ('" idOmniMess "', '"b"')]
    chance.shuffle(pairs)
    return http(chance, members(chance, pairs), UNKNOWN, reason="bad_answer")


def _repeated_key(chance, number):
    second = chance.choice(['"1"', "1", '"-1"', "null"])
    name = chance.choice(['"status"', '" status "'])
    pairs = [(name, '"1"'), *_with_id(chance, number), (name, second)]
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
        chance, '"1"', "Success", [*_with_id(chance, number), (text(chance, "extra_"), value)]
    )
    return http(chance, body, UNKNOWN, reason="bad_answer")


def _wrong_encoding(chance, number):
    good = members(
        chance, [('"status"', '"1"'), ('"code"', '"Thành công"'), *_with_id(chance, number)]
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
        return Answer("", (raw,), chance.choices(*_ENDS)[0], UNKNOWN, "bad_answer")
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
    body = chance.choice([good, gzip.compress(good), gzip.compress(bytes(3_000_000)), b""])
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
    body = members(chance, [('"status"', '"1"'), ('"extra"', value), *_with_id(chance, number)])
    return http(chance, body, UNSETTLED)


def _no_answer(chance, number):
    end = chance.choice([End.CLOSES, End.RESETS])
    return Answer("", (), end, UNKNOWN, "connection_lost")


def _no_end(chance, number):
    body = accepting(chance, number).encode()
    raw = chance.choice([b"", _head(200, len(body))[:-2], _head(200, len(body) + 1) + body])
    return Answer("", (raw,), End.HANGS, UNKNOWN, "timeout")


def _with_id(chance, number):
    return [(key(chance, "idOmniMess"), text(chance, id_of(number)))]


def _head(status: int, length: int) -> bytes:
    return f"HTTP/1.1 {status} OK\r\nContent-Length: {length}\r\n\r\n".encode()


Kind = tuple[float, Callable[[random.Random, str], Answer]]

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
_WEIGHTS = [weight for weight, _make in KINDS.values()]


# What an answer to GetStatusOmni must come to

DELIVERED = frozenset({"delivered"})
UNDELIVERED = frozenset({"undelivered"})
AS_IT_WAS = ACCEPTED


def report(chance: random.Random, number: str, status: str, more: list[tuple[str, str]]) -> str:
    pairs = [
        ('"phonenumber"', f'"{number}"'),
        ('"createdatetime"', '"21/05/2021 14:43:22"'),
        (key(chance, "status"), status),
        (key(chance, "channel"), chance.choice(['"BrandnameSMS"', '"ZNS"', "null", "3"])),
        (chance.choice(['"errorCode"', '"errorcode"', '"error_code"']), '"-118"'),
        ('"mtcount"', chance.choice(["1", '"2"', "-1", "1e3", "99999999999", "true"])),
        ('"telcoid"', chance.choice(["3", '"14"', "null"])),
        *more,
    ]
    chance.shuffle(pairs)
    return members(chance, pairs)


def _echo(chance: random.Random) -> list[tuple[str, str]]:
    echoed = json.dumps({"order_code": "DH-1", "pin": SECRET})
    return [('"list_param"', chance.choice([echoed, json.dumps(echoed)]))]


def _word(chance: random.Random, word: str) -> str:
    spelled = chance.choice([word, word.lower(), word.capitalize()])
    return text(chance, chance.choice(["", "", " "]) + spelled + chance.choice(["", "\n"]))


_WORDS = {"SUCCESS": DELIVERED, "FAIL": UNDELIVERED, "PROCESSING": AS_IT_WAS}


def _reported(chance, number):
    word = chance.choice(list(_WORDS))
    more = _echo(chance)
    if chance.random() < 0.3:
        more += _with_id(chance, number)
    return http(chance, report(chance, number, _word(chance, word), more), _WORDS[word])


def _as_printed(chance, number):
    """As the documentation prints it: the quotes of the echo are bare."""
    word = chance.choice(list(_WORDS))
    value = chance.choice([SECRET, "", "}", "a, b", '","status":"SUCCESS', '"status":"SUCCESS'])
    body = (
        f'{{ "phonenumber":"{number}", "list_param":"{{"otp":"{value}"}}", '
        f'"createdatetime":"21/05/2021 14:43:22", "status":"{word}", "channel":"ZNS", '
        '"templatecode":"order", "errorCode":"-118" }'
    )
    return http(chance, body, _WORDS[word])


def _printed_ambiguously(chance, number):
    """A parameter that looks like the end of the echo, and like what may follow it."""
    value = chance.choice(['x"}","status":"SUCCESS","a":"{"b":"', 'x"}", "status":"SUCCESS"}'])
    body = f'{{"list_param":"{{"otp":"{value}"}}", "status":"FAIL", "channel":"ZNS"}}'
    return http(chance, body, UNDELIVERED | AS_IT_WAS)


def _of_another(chance, number):
    other = text(chance, chance.choice(["ICOMNI1", id_of(number) + "1", id_of(number).lower()]))
    more = [(key(chance, "idOmniMess"), other)]
    return http(chance, report(chance, number, _word(chance, "SUCCESS"), more), AS_IT_WAS)


def _no_word(chance, number):
    status = chance.choice(_NO_WORDS)
    return http(chance, report(chance, number, status, _echo(chance)), AS_IT_WAS)


_NO_WORDS = [
    *('"1"', "1", "true", "null", '"SUCCESSFUL"', '"SUCCES"', '"UN SUCCESS"', '"FAILED"', "[]"),
    *('["SUCCESS"]', '{"SUCCESS": 1}', r'"SUCCESS\u0000"', r'"\uff33UCCESS"'),
    json.dumps(SECRET),
]


def _words_contradict(chance, number):
    more = [(chance.choice(['"sTATUS"', '"s_tatus"', '"stat us"']), '"FAIL"')]
    return http(chance, report(chance, number, '"SUCCESS"', more), AS_IT_WAS)


def _status_of_another_kind(chance, number):
    """What comes as an answer to SendMessage may: here it says nothing."""
    while True:
        kinds = [name for name in KINDS if name != "no end"]
        answer = KINDS[chance.choice(kinds)][1](chance, number)
        if len(answer.raw) < LARGEST_BODY:
            return dataclasses.replace(answer, statuses=AS_IT_WAS, reason=None, provider_id=None)


STATUS_KINDS: dict[str, Kind] = {
    "reported": (6, _reported),
    "reported as printed": (3, _as_printed),
    "printed ambiguously": (1, _printed_ambiguously),
    "of another message": (1, _of_another),
    "a word that is not of the table": (2, _no_word),
    "two words": (1, _words_contradict),
    "no report": (4, _status_of_another_kind),
}
_STATUS_WEIGHTS = [weight for weight, _make in STATUS_KINDS.values()]


# Damage

_TELLING = [b"1", b"-1", b"-", b"200", b"401", b"0", b'"', b"{", b"}", b":", b",", b"\\", b"\r\n"]
_TELLING += [b"\n", b"\r", b" ", b"\x00", b"\xff", b"_", b"+", b"\r\n\r\n", b"status", b"chunked"]


def damaged(chance: random.Random, make: Callable[[], Answer]) -> Answer:
    """Return a sound answer with some of its bytes changed, lost, doubled or another's."""
    raw = _small(make).raw
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        raw = chance.choice(_DAMAGES)(chance, raw, make)
    end = chance.choice([End.CLOSES, End.KEEPS_FOR_NOW, End.KEEPS_FOR_NOW])
    # In one piece: what comes later nobody can tell from the next answer.
    return Answer("damaged", (raw,) if raw else (), end)


def _small(make: Callable[[], Answer]) -> Answer:
    while True:
        answer = make()
        if 0 < len(answer.raw) < 4_096 and answer.end is not End.HANGS:
            return answer


def _span(chance: random.Random, raw: bytes) -> tuple[int, int]:
    start = chance.randrange(len(raw) + 1)
    return start, min(len(raw), start + chance.choice([1, 1, 2, 8, 64, 512]))


def _put(chance, raw, make):
    start, end = _span(chance, raw)
    return raw[:start] + chance.choice([*_TELLING, chance.randbytes(1)]) + raw[end:]


def _insert(chance, raw, make):
    start = chance.randrange(len(raw) + 1)
    return raw[:start] + chance.choice([*_TELLING, chance.randbytes(3)]) + raw[start:]


def _lose(chance, raw, make):
    start, end = _span(chance, raw)
    return raw[:start] + raw[end:]


def _double(chance, raw, make):
    start, end = _span(chance, raw)
    return raw[:end] + raw[start:end] + raw[end:]


def _cut(chance, raw, make):
    return raw[: chance.randrange(len(raw) + 1)]


def _flip(chance, raw, make):
    if not raw:
        return raw
    place = chance.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1 :]


def _splice(chance, raw, make):
    other = _small(make).raw
    return raw[: chance.randrange(len(raw) + 1)] + other[chance.randrange(len(other) + 1) :]


def _swap_lines(chance, raw, make):
    lines = raw.split(b"\r\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\r\n".join(lines)


_DAMAGES = [_put, _put, _insert, _lose, _double, _cut, _flip, _flip, _splice, _swap_lines]
