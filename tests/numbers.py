"""Whether a text shows a recipient's number."""

import re

_MIDDLE = re.compile(r"912\W{0,3}345|345\W{0,3}678")


def shows_number(text: str) -> bool:
    """Tell whether 0912 345 678 can be read in a text, of which a mask leaves `84912•••678`.

    Its three middle digits alone stand in many a key and among the microseconds of many a time.
    """
    return bool(_MIDDLE.search(text))
