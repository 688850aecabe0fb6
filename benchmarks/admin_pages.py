"""What the admin's pages take on few and on many messages, beside a plain `ModelAdmin`.

Two databases of PostgreSQL are filled by `message_loading.py`, with two events for each message.
Each page is asked for through Django's test client, the whole way from the address to the rendered
page, by a superuser and by a person who may only look; few and many messages by turns, other
messages and numbers each round. What is told in times compares the medians.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.admin_pages
    ... --counts 100000 500000 --keep    # leaves the databases, and takes them up the next time
"""

import random
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks import databases, measured, message_loading
from benchmarks.measured import Figure

FEW, MANY = "default", "many"

PAGE, LOOK_UP = 60, 15
"""Milliseconds that a page may take at the median."""
TIMES = 1.3
"""Of what a page takes on few messages, on many."""
QUERIES = 15

PEOPLE = ("superuser", "may look")


class Chosen:
    """Leads every query to the database that is measured just now."""

    alias = FEW

    def db_for_read(self, model, **hints):
        return Chosen.alias

    def db_for_write(self, model, **hints):
        return Chosen.alias

    def allow_relation(self, one, other, **hints):
        return True


@dataclass
class Asked:
    """A page, and what it took."""

    name: str
    address: str
    """With `{words}` for what is drawn anew each round."""
    bound: int = PAGE
    plain: str = ""
    """The address that says the same to the plain admin."""
    took: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds, by database and person."""
    queries: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The most on any database, by person."""


LIST = "/admin/etelecom/messagelog/"
PLAIN = "/plain/etelecom/messagelog/"

PAGES = [
    Asked("list", LIST, plain=PLAIN),
    Asked("by status", f"{LIST}?status__exact=delivered", plain=f"{PLAIN}?status__exact=delivered"),
    Asked(
        "by a rare status", f"{LIST}?status__exact=unknown", plain=f"{PLAIN}?status__exact=unknown"
    ),
    Asked(
        "by a retired template",
        f"{LIST}?template__id__exact={{retired}}",
        plain=f"{PLAIN}?template__id__exact={{retired}}",
    ),
    Asked("by campaign", f"{LIST}?campaign__id__exact={{campaign}}"),
    Asked(
        "by campaign and status", f"{LIST}?campaign__id__exact={{campaign}}&status__exact=unknown"
    ),
    Asked("by days", f"{LIST}?since={{day}}&until={{day}}"),
    Asked("older", f"{LIST}?before={{pk}}"),
    Asked("last page", f"{LIST}?after=0", plain=f"{PLAIN}?p={{last}}"),
    Asked("message", f"{LIST}{{pk}}/change/", plain=f"{PLAIN}{{pk}}/change/"),
    Asked("dashboard", "/admin/etelecom/dashboard/"),
    Asked("dashboard, 30 days", "/admin/etelecom/dashboard/?days=30"),
    Asked("campaign", "/admin/etelecom/campaign/{campaign}/change/"),
    Asked("look-up by phone", f"{LIST}?q={{phone}}", LOOK_UP, plain=f"{PLAIN}?q={{recipient}}"),
    Asked("look-up by provider's id", f"{LIST}?q={{provider_id}}", LOOK_UP),
    Asked("look-up by public id", f"{LIST}?q={{public_id}}", LOOK_UP),
]


def set_up():
    import django
    from django.conf import settings

    context_processors = [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    settings.configure(
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["testserver"],
        USE_TZ=True,
        TIME_ZONE="Asia/Ho_Chi_Minh",
        STATIC_URL="static/",
        ROOT_URLCONF="benchmarks.admin_pages_urls",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "django_etelecom",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": context_processors},
            }
        ],
        DATABASES={FEW: databases.settings(), MANY: databases.settings()},
        DATABASE_ROUTERS=[Chosen()],
        ETELECOM={"ACCOUNTS": {"default": {"USERNAME": "u", "PASSWORD": "p"}}},
        LOGGING_CONFIG=None,
    )
    django.setup()
    databases.require_postgresql()


def filled(alias, count):
    """Fill a database, where an earlier run has not left it filled; return its people's clients."""
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    from django_etelecom.models import DayTally, MessageLog

    Chosen.alias = alias
    superuser, _created = User.objects.get_or_create(
        username="admin", is_staff=True, is_superuser=True
    )
    viewer, _created = User.objects.get_or_create(username="viewer", is_staff=True)
    viewer.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label="etelecom", codename__startswith="view_"
        ).exclude(codename="view_recipient")
    )
    newest = MessageLog.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        began = last = time.perf_counter()
        what = ""
        for step in message_loading.load(alias, count, user=superuser.pk):
            now = time.perf_counter()
            if what:
                print(f"  {what}: {now - last:.0f} s", flush=True)
            what, last = step, now
        print(f"{count} messages were loaded in {time.perf_counter() - began:.0f} s", flush=True)
    elif newest != count or not DayTally.objects.exists():
        raise SystemExit("An earlier run has not loaded all of them: drop its databases.")
    clients = {"superuser": Client(), "may look": Client()}
    clients["superuser"].force_login(superuser)
    clients["may look"].force_login(viewer)
    return clients


def draw(draws, count):
    """Return what the addresses of a round name: other rows each time, the same for all pages."""
    from django.utils import timezone

    from django_etelecom import phone
    from django_etelecom.models import Campaign, MessageLog

    campaigns = list(Campaign.objects.values_list("pk", flat=True))
    # One of which the provider has told the end, and that is not on the first page.
    delivered = MessageLog.objects.filter(
        pk__gte=draws.randrange(1, count - count // 100), status="delivered"
    )
    message = delivered.order_by("pk")[0]
    return {
        "pk": message.pk,
        "campaign": draws.choice(campaigns),
        "retired": message_loading.RETIRED,
        "day": timezone.localdate(message.created_at).isoformat(),
        "last": count // 100,
        "recipient": message.recipient,
        "phone": phone.display(message.recipient).replace(" ", "."),
        "provider_id": message.provider_message_id,
        "public_id": message.public_id,
    }


def asked_for(client, alias, address):
    """Return the milliseconds that a page took."""
    Chosen.alias = alias
    began = time.perf_counter()
    response = client.get(address)
    taken = (time.perf_counter() - began) * 1000
    if response.status_code != 200:
        raise SystemExit(f"{address} was answered by {response.status_code}")
    return taken


def measure(counts, clients, rounds, plain_rounds):
    from django.db import connections
    from django.test.utils import CaptureQueriesContext

    draws = {alias: random.Random(7) for alias in counts}
    for turn in range(-1, rounds):
        words = {}
        for alias, count in counts.items():
            Chosen.alias = alias
            words[alias] = draw(draws[alias], count)
        for page in PAGES:
            for person in PEOPLE:
                for alias in sorted(counts, reverse=turn % 2 == 0):
                    address = page.address.format_map(words[alias])
                    client = clients[alias][person]
                    if turn >= 0:
                        taken = asked_for(client, alias, address)
                        page.took[alias, person].append(taken)
                        continue
                    # The first time warms up, and counts.
                    with CaptureQueriesContext(connections[alias]) as queries:
                        asked_for(client, alias, address)
                    page.queries[person] = max(page.queries[person], len(queries))
            if page.plain and 0 <= turn < plain_rounds:
                address = page.plain.format_map(words[MANY])
                taken = asked_for(clients[MANY]["superuser"], MANY, address)
                page.took[MANY, PLAIN].append(taken)


def figures(counts):
    """Yield what the pages took."""
    few, many = (f"{count:,} messages" for count in counts.values())
    for page in PAGES:
        for person in PEOPLE:
            name = f"{page.name}, {person}"
            of_few, of_many = (page.took[alias, person] for alias in counts)
            times = statistics.median(of_many) / statistics.median(of_few)
            yield Figure.of(name, few, of_few, unit="ms")
            yield Figure.of(name, many, of_many, unit="ms", at_most=page.bound)
            yield Figure.of(name, f"times {few}", [times], unit="x", at_most=TIMES)
            yield Figure.of(name, "queries", [page.queries[person]], at_most=QUERIES)
        if plain := page.took.get((MANY, PLAIN)):
            yield Figure.of(f"{page.name}, plain", many, plain, unit="ms")


def main():
    parser = measured.parser(__doc__)
    parser.add_argument(
        "--counts", type=int, nargs=2, default=[100_000, 5_000_000], metavar=("FEW", "MANY")
    )
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument(
        "--plain-rounds", type=int, default=3, help="of the plain admin, which is slow"
    )
    parser.add_argument("--keep", action="store_true", help="leave the databases for the next run")
    options = parser.parse_args()
    set_up()

    from django.db import connections

    counts = dict(zip((FEW, MANY), options.counts, strict=True))
    for alias, count in counts.items():
        of_alias = connections[alias].settings_dict
        of_alias["TEST"]["NAME"] = f"{of_alias['NAME']}_pages_{count}"
    with databases.made(keep=options.keep) as database:
        clients = {alias: filled(alias, count) for alias, count in counts.items()}
        measure(counts, clients, options.rounds, options.plain_rounds)
    measured.tell(
        options,
        list(figures(counts)),
        size=f"{options.rounds} rounds, {options.plain_rounds} of the plain admin",
        database=database,
        packages=["Django"],
    )


if __name__ == "__main__":
    main()
