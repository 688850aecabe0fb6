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
    did: str
    """What was done and how often, as the table says it."""
    wrong: dict[str, int]
    """How often each thing happened that must not happen at all."""
    seen: str = ""
    """What happened besides, which is as it should be."""
    examples: list[str] = dataclasses.field(default_factory=list)
    """Of what was wrong, each a sentence with what it takes to see it again."""
    seconds: float = 0.0
    appendix: str = ""
    """What the page says of it below the table, in Markdown."""

    @property
    def holds(self) -> bool:
        return not any(self.wrong.values())

    @property
    def found(self) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in self.wrong.items())

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Self:
        return cls(**json.loads(text))
