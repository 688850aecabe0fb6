"""Which column of a sheet holds what a template asks for, by the columns' headings."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

NUMBER = "to"
NUMBER_HEADINGS = frozenset(
    [
        "to",
        "phone",
        "phonenumber",
        "mobile",
        "mobilenumber",
        "recipient",
        "sdt",
        "sodt",
        "sodienthoai",
        "dienthoai",
        "didong",
        "sodidong",
    ]
)
"""What people call the column of the number, folded."""


def match_columns(columns: Sequence[str], names: Iterable[str]) -> dict[str, str]:
    """Return the column of each name that has exactly one; no column is given to two names.

    `names` are `to`, which is the recipient's number and goes by its usual headings as well, and
    parameters of a template. The very name goes first, then one that differs in case, spaces,
    punctuation or diacritics only: “Mã đơn” is `ma_don`. Where two columns or two names would do,
    none is taken: a person has to choose.
    """
    wanted = list(dict.fromkeys(names))
    matched = {name: name for name in wanted if name in columns}
    by_fold = _folded(column for column in columns if column not in matched)
    for key, same in _folded(name for name in wanted if name not in matched).items():
        if key and len(same) == 1 and len(by_fold[key]) == 1:
            matched[same[0]] = by_fold.pop(key)[0]
    if NUMBER in wanted and NUMBER not in matched:
        candidates = [column for key in NUMBER_HEADINGS & by_fold.keys() for column in by_fold[key]]
        if len(candidates) == 1:
            matched[NUMBER] = candidates[0]
    return {name: matched[name] for name in wanted if name in matched}


def fold(text: str) -> str:
    """Return the letters and digits of `text` in lower case and without diacritics."""
    # The one Vietnamese letter whose mark does not come off.
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    return "".join(character for character in decomposed if character.isalnum())


def _folded(texts: Iterable[str]) -> defaultdict[str, list[str]]:
    by_fold: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        by_fold[fold(text)].append(text)
    return by_fold
