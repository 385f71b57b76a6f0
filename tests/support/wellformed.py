"""A reader that fails where a page of ours is not well-formed, or holds what no report may hold."""

from __future__ import annotations

from html.parser import HTMLParser


class WellFormed(HTMLParser):
    """Reads a page when it is made: each element is closed in its place, none loads or sends anything, and nothing is a script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "iframe", "link", "form")
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
