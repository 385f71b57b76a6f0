"""The one error of the configuration."""

from __future__ import annotations

from zegel.words import SpokenError


class ConfigError(SpokenError, ValueError):
    """The configuration cannot be used; the text says which key, and what to write."""
