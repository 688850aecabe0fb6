"""How a provider writes its answers: what JSON and HTTP let it say in many ways."""

import dataclasses
import enum
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


Kind = tuple[float, Callable[[random.Random, str], Answer]]
"""How often an answer of a kind comes, and what makes one for a recipient."""


def id_of(number: str) -> str:
    """Return the id that the provider gives a message."""
    return f"ICOMNI{number}"


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


def with_id(chance, number):
    return [(key(chance, "idOmniMess"), text(chance, id_of(number)))]


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
    end = End.CLOSES if framing == "close" else chance.choices(*ENDS)[0]
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


ENDS = ([End.KEEPS, End.CLOSES], [8, 1])
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
    if chance.random() < 0.9 or not raw:
        return (raw,)
    # The last one is not empty: what is added to it comes with the end of the answer.
    cuts = sorted(chance.randrange(len(raw)) for _ in range(chance.randint(1, 3)))
    bounds = [0, *cuts, len(raw)]
    return tuple(raw[start:end] for start, end in itertools.pairwise(bounds))


def excess(chance: random.Random) -> bytes:
    stray = b'{"status": "1", "code": "Success", "idOmniMess": "ICOMNI-stray"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(stray) + stray
    return chance.choice([answer, b"\r\n" + answer, b" ", stray])
