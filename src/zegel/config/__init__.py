"""The whole configuration, one frozen :class:`Config`, read from the text of ``zegel.toml``.

These rooms parse text that is handed to them; they open no file. An unknown key, a wrong type or a dangerous value is an error that names
the key and says what to write instead.
"""

from zegel.config.address import Listen, listen_address
from zegel.config.error import ConfigError
from zegel.config.reading import parse
from zegel.config.sections import Allow, Config, Exemption, Inbound, Outbound

__all__ = ["Allow", "Config", "ConfigError", "Exemption", "Inbound", "Listen", "Outbound", "listen_address", "parse"]
