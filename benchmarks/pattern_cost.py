"""What the patterns that are kept take at worst, on values that are meant to hold them up.

Patterns are made at random, by thousands, beside some that are written by hand to come close to the
bound. Each that `fault_of_pattern` keeps runs over values of the longest length that was asked for:
blocks of the pattern's own characters, repeated, with an end that does not match. No figure of its
own says that a pattern is safe; the longest time of all of them does. Times are of the CPU.

    python -m benchmarks.pattern_cost
    ... --patterns 20000 --length 200 --seed 3
"""

import itertools
import random
import re
import time

from django.conf import settings

from benchmarks import measured
from benchmarks.measured import Figure
from django_etelecom.backtracking import most_steps
from django_etelecom.patterns import MOST_STEPS, fault_of_pattern

LONGEST = 100
"""Milliseconds that one value may take."""

CLOSE = [
    ".*.*x",
    ".*,.*,.*",
    r"(?:\w|a){0,14}y",
    "(?:a|a|a|a|a|a|a|a|a|a){5}b",
    "(?:a?){17}b",
    "(?:(?:a?){3}){6}b",
    r"^(?=.*\d.*)(?=.*[A-Z])(?=.*[a-z]).{8,}$",
    "(?:(?=.*b)a)*",
    r"(\w\w?){1,20}!",
    "(?:a{1,2}){1,18}b",
    "(((a?)?)?)*b",
    "(?:a|aa){1,20}!",
    "[^x]*[^y]*z",
]
PIECES = ["a", "b", "1", " ", ".", r"\w", r"\d", r"\s", "[ab]", "[^a]", "(?:a|b)", "(a|ab)", ","]
COUNTS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,20}", "*?", "++"]
GROUPS = ["(%s)", "(?:%s)", "(?=%s)", "(?:%s|a)", "(?>%s)"]


def made(chance: random.Random, depth: int) -> str:
    pieces = []
    for _ in range(chance.randint(1, 4)):
        inner = depth and chance.random() < 0.5
        one = chance.choice(GROUPS) % made(chance, depth - 1) if inner else chance.choice(PIECES)
        pieces.append(one + chance.choice(COUNTS))
    return "".join(pieces)


def values(length: int) -> list[str]:
    blocks = [
        "".join(block) for size in (1, 2, 3) for block in itertools.product("ab1 ,", repeat=size)
    ]
    return [(block * length)[: length - 1] + end for block in blocks for end in "!a"]


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("--patterns", type=int, default=5000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings.configure(USE_I18N=False)
    chance = random.Random(options.seed)
    patterns = CLOSE + [made(chance, 2) for _ in range(options.patterns)]
    adversarial = values(options.length)
    fault_of_pattern("a", options.length)

    kept, gave_up, judged, matched = 0, 0, [], []
    for pattern in patterns:
        began = time.process_time()
        fault = fault_of_pattern(pattern, options.length)
        judged.append(((time.process_time() - began) * 1000, pattern))
        if fault:
            continue
        kept += 1
        compiled = re.compile(pattern)
        for value in adversarial:
            began = time.process_time()
            try:
                compiled.fullmatch(value)
            except SystemError as error:
                print(f"{error}: {pattern!r} on {value[:12]!r}")
                gave_up += 1
                break
            matched.append(((time.process_time() - began) * 1000, pattern))

    figures = [
        Figure.of("patterns kept", "number", [kept]),
        Figure.of("patterns that the engine gave up", "number", [gave_up]),
    ]
    for name, times, most in (
        ("patterns judged", judged, None),
        ("values matched", matched, LONGEST),
    ):
        took, pattern = max(times)
        print(f"The longest of the {name}: {pattern}")
        figures += [
            Figure.of(name, "number", [len(times)]),
            Figure.of(name, "the longest", [took], unit="ms", at_most=most),
        ]
        steps = most_steps(pattern, options.length, limit=MOST_STEPS)
        if steps is not None:
            figures.append(Figure.of(name, "its steps at most", [steps]))
    measured.tell(options, figures, size=f"values of {options.length} characters")


if __name__ == "__main__":
    main()
