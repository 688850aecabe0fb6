"""What the guards of a default configuration cost a send.

`services.send_message` of a one-time password and of an order notice, with the guards and with all
of them taken out, each to a number of its own, in interleaved rounds of one run. Statements are
counted but for those that begin and end transactions.

    python -m benchmarks.guard_cost                                             # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.guard_cost
"""

import contextlib
import itertools
from unittest import mock

from benchmarks import databases, measured
from benchmarks.measured import Figure
from benchmarks.send_cost import serve, set_up

GUARDED = {"otp": "login", "transactional": "order"}
"""The template's code by its category."""
NAMES = {"otp": "one-time password", "transactional": "order notice"}

PARAMS = dict.fromkeys("abcde", "483920")
TIMES = 1.25
"""What a guarded send may cost of one without guards."""
BARE, GUARDS = 6, 4
"""Statements that a send may take without guards, and that the guards may add."""


def seed():
    from django_etelecom.models import MessageTemplate, RouteRule

    RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
    for category, code in GUARDED.items():
        template = MessageTemplate.objects.create(
            code=code, category=category, text="{a} {b} {c} {d} {e}"
        )
        for position, name in enumerate(PARAMS):
            template.parameters.create(name=name, position=position)


@contextlib.contextmanager
def unguarded():
    from django_etelecom import guards

    with (
        mock.patch.object(guards, "admit", return_value=None),
        mock.patch.object(guards, "has_turns", return_value=False),
    ):
        yield


def statements(send):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        send()
    control = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return sum(not query["sql"].startswith(control) for query in captured.captured_queries)


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--count", type=int, default=60, help="messages a round and side")
    options = parser.parse_args()
    set_up(measured.beside(serve))

    from django_etelecom import spending
    from django_etelecom.services import send_message

    numbers = (f"09{number:08}" for number in itertools.count(10_000_000))
    figures = []
    with databases.made() as database:
        seed()
        for category, code in GUARDED.items():

            def send(code=code):
                send_message(code, next(numbers), PARAMS)

            def guarded(_turn, send=send):
                return measured.milliseconds(send, options.count)

            def bare(turn, guarded=guarded):
                with unguarded():
                    return guarded(turn)

            took = measured.interleaved({"guarded": guarded, "bare": bare}, options.rounds)
            spending.forget()
            asked = statements(send)
            with unguarded():
                asked_bare = statements(send)
            ratios = measured.ratios(took["guarded"], took["bare"])
            name = NAMES[category]
            without = f"{name}, without guards"
            figures += [
                Figure.of(name, "a message", took["guarded"], unit="ms"),
                Figure.of(name, "times without guards", ratios, unit="x", at_most=TIMES),
                Figure.of(name, "statements", [asked]),
                Figure.of(name, "guards' statements", [asked - asked_bare], at_most=GUARDS),
                Figure.of(without, "a message", took["bare"], unit="ms"),
                Figure.of(without, "statements", [asked_bare], at_most=BARE),
            ]
    measured.tell(
        options,
        figures,
        size=f"{options.rounds} rounds of {options.count} messages",
        database=database,
        packages=["Django"],
    )


if __name__ == "__main__":
    main()
