"""HTML that cannot be broken by what is shown in it: text is escaped as it goes in, and only an :class:`Html` is markup.

What strangers wrote (DNS, messages) is in almost every cell of a report. So there is no template and no way to forget an escape: an element
is made by :func:`element`, whose children are text unless they are elements. Characters that cannot be seen are written out.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

_EMPTY = frozenset(("meta", "br", "hr", "col", "wbr"))


class Html(str):
    """Markup that is safe to put into a page. Made by :func:`element`, :func:`joined` and :func:`raw` only."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: str | int | None) -> Html:
    """An element. ``class_`` is the attribute class; an underscore within a name is a hyphen; None leaves a child or an attribute out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"' for key, value in attributes.items() if value is not None
    )
    if name in _EMPTY:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{joined(children)}</{name}>")


def joined(children: Iterable[str | None]) -> Html:
    """Several children as one, text escaped."""
    return Html("".join(child if isinstance(child, Html) else _escaped(child) for child in children if child is not None))


def raw(markup: str) -> Html:
    """Markup of our own, word for word: the style sheet and the first line of a page. Never for what comes from outside."""
    return Html(markup)


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)


def visible(text: str) -> str:
    """The text with what cannot be seen (controls, marks that turn the direction of writing) written out as ``\\u202e``."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
