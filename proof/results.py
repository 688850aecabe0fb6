"""What a check has found, and how it is told."""

import dataclasses
import json
from typing import Self


@dataclasses.dataclass(frozen=True)
class Result:
    """What one check did to the app on one database, and what was wrong."""

    check: str
    database: str
    """As it calls itself, version included."""
    times: str
    """How often it was done, in a word or two."""
    did: str
    """What was done, and to how many."""
    wrong: dict[str, int]
    """How often each thing happened that must not happen at all."""
    seen: str = ""
    """What happened besides, which is as it should be."""
    examples: list[str] = dataclasses.field(default_factory=list)
    """Of what was wrong, each a sentence with what it takes to see it again."""
    seconds: float = 0.0
    appendix: str = ""
    """A table or section that the page has of it besides, in Markdown."""

    @property
    def holds(self) -> bool:
        return not any(self.wrong.values())

    @property
    def told(self) -> str:
        """What was done, and what came of it."""
        return "; ".join(filter(None, [self.did, self.seen]))

    @property
    def found(self) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in self.wrong.items())

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Self:
        return cls(**json.loads(text))
