"""Recorded answers, as they are kept in `tests/samples/<operation>/<case>.http`."""

from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "samples"


def recorded(operation: str, case: str) -> tuple[int, dict[str, str], bytes]:
    """Return the status, headers and body of an answer."""
    text = (SAMPLES / operation / f"{case}.http").read_text().removesuffix("\n")
    head, _, body = text.partition("\n\n")
    status_line, *lines = head.split("\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status_line.split()[1]), headers, body.encode()


def cases(operation: str) -> set[str]:
    """Return the names of what is recorded of an operation."""
    return {path.stem for path in (SAMPLES / operation).iterdir()}
