"""What a page says, as a browser would take it in: its elements, its texts, its addresses."""

import dataclasses
import re
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
INLINE = {
    *("a", "abbr", "b", "bdi", "cite", "code", "em", "i", "label", "mark", "q", "s", "small"),
    *("span", "strong", "sub", "sup", "time", "u"),
}
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction in which what follows them is written."""


@dataclasses.dataclass(eq=False)
class Element:
    tag: str
    parent: "Element | None" = None
    texts: list[str] = dataclasses.field(default_factory=list)
    """Of a block: its own and those of what is inline in it, but for what is isolated."""


class Page(HTMLParser):
    """A page that was read to its end."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        """Each tag with the names of its attributes."""
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self._open = Element("page")
        self._blocks = [self._open]
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, *sorted(name for name, _value in attributes)))
        self.addresses += [
            value or ""
            for name, value in attributes
            if name in ("href", "src", "action", "formaction", "data-url")
        ]
        if tag not in VOID:
            self._open = Element(tag, self._open)
            self._blocks.append(self._open)

    def handle_endtag(self, tag):
        element = self._open
        while element.parent and element.tag != tag:
            element = element.parent
        if element.parent:
            self._open = element.parent

    def handle_data(self, text):
        self.texts.append(text)
        element = self._open
        while element.tag in INLINE and element.parent:
            if element.tag == "bdi":
                return
            element = element.parent
        element.texts.append(text)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def blocks(self) -> list[str]:
        """The text of each block, without what is isolated in it by a `<bdi>`."""
        return ["".join(block.texts) for block in self._blocks if block.texts]

    @property
    def title(self) -> str:
        # Pictures have titles as well.
        title, *_others = [block for block in self._blocks if block.tag == "title"]
        return "".join(title.texts)
