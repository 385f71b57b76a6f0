"""One table of the commented ``zegel.toml``, as text."""

from __future__ import annotations


def section(name: str, *options: tuple[str, str, str]) -> str:
    """One table: each option with its sentence above it."""
    lines = [f"[{name}]"]
    for option, default, sentence in options:
        lines += [*(f"# {line}" for line in sentence.split("\n")), f"#{option} = {default}"]
    return "\n".join(lines)
