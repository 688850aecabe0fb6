"""What a check needs is looked for before it is tried."""

import pytest

from proof import servers
from proof.__main__ import main, uninstalled
from proof.checks import MARIADB, REDIS, SQLITE, Check


def test_uninstalled__names_what_is_missing():
    check = Check("peers", 1, 1, packages=("Django", "django-of-nobody"))

    sentence = uninstalled(check)

    assert "peers needs django-of-nobody" in sentence
    assert "Django," not in sentence


def test_uninstalled__nothing_is_missing():
    assert uninstalled(Check("kills", 1, 1, packages=("Django",))) == ""


@pytest.mark.parametrize("server", [MARIADB, REDIS])
def test_unreachable__names_the_server_and_what_names_another(monkeypatch, server):
    urls = servers.DATABASES if server == MARIADB else servers.BROKERS
    # Nobody listens on the port that is never given to anybody.
    monkeypatch.setitem(urls, server, "scheme://127.0.0.1:1/0")

    sentence = servers.unreachable(server)

    assert sentence.startswith(f"{server} cannot be reached at 127.0.0.1:1 (")
    assert servers.NAMED_BY[server] in sentence


def test_unreachable__sqlite_is_no_server():
    assert servers.unreachable(SQLITE) == ""


def test_main__refuses_a_selection_that_runs_nothing(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["proof", "--only", "cuts", "--database", "SQLite"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert "No check that was named" in capsys.readouterr().err
