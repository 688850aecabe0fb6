"""How a command asks before it does what it has announced."""

import sys

from django.core.management.base import CommandError


def says_yes(question: str) -> bool:
    """Tell whether somebody at the terminal says yes.

    Raises:
        CommandError: there is nobody.
    """
    if not sys.stdin.isatty():
        raise CommandError("Nothing was changed: there is nobody to ask. Run it with --yes.")
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")
