"""What a start reads and opens: the configuration, the store, the resolver. Each refusal says what to do next."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from zegel.adapters.converse import AsyncResolver
from zegel.adapters.nameservers import Looking, Nameservers, Offline
from zegel.adapters.resolver import Resolver
from zegel.adapters.zone import Zone
from zegel.config import Config, ConfigError
from zegel.config import parse as parse_config
from zegel.gateway.site import check
from zegel.store import masterkey
from zegel.store.database import Store
from zegel.words import N_, Sentence


def read_config(path: Path | None, data_folder: Path) -> Config:
    """Read ``zegel.toml``: the one that is named, or the data folder's, which may be absent. Raises :class:`ConfigError`."""
    file = path or data_folder / "zegel.toml"
    try:
        with file.open(encoding="utf-8") as opened:
            if os.fstat(opened.fileno()).st_mode & stat.S_IWOTH:
                # Whoever writes here says who may sign as whom, and where mail goes.
                sentence = N_("{file} can be changed by everybody on this machine; look what is in it, and type: chmod o-w {file}")
                raise ConfigError(sentence, file=file)
            config = parse_config(opened.read())
    except FileNotFoundError:
        if path is None:
            return Config()
        raise ConfigError(N_("there is no configuration {file}; make it: zegel init"), file=file) from None
    except UnicodeDecodeError:
        sentence = N_("{file} is not UTF-8 text; save it as UTF-8, or move it away and have a new one made: zegel init")
        raise ConfigError(sentence, file=file) from None
    except OSError as error:
        raise ConfigError(N_("{file} cannot be read: {error}"), file=file, error=error.strerror or error) from None
    check(config.inbound)  # before a daemon has to find out
    return config


def open_store(data_folder: Path) -> Store:
    """Open the store with the master key of the environment or of the data folder. Raises ``StoreError``."""
    text = os.environ.get("ZEGEL_MASTER_KEY")
    return Store.open(data_folder, master_key=masterkey.parse(text) if text else None)


def make_resolver(config: Config) -> AsyncResolver:
    """The resolver that the configuration names: a zone file, or name servers. Raises :class:`ConfigError`."""
    dns = config.dns
    if dns.zone:
        return _zone(dns.zone)
    try:
        return Resolver(dns.nameservers or None, timeout=dns.timeout, tries=dns.tries, trust_ad=dns.trust_ad)
    except (OSError, ValueError) as error:
        raise ConfigError(N_("zegel.toml: {key}: {error}"), key="dns.nameservers", error=error) from None


def make_servers(config: Config, resolver: AsyncResolver) -> Looking:
    """What is asked for what all authoritative servers say; with a zone file it stands for all of them."""
    dns, listed = config.dns, {zone.name: zone.servers for zone in config.zone}
    return Offline(resolver) if dns.zone else Nameservers(resolver, zones=listed, timeout=dns.timeout, tries=dns.tries)


def _zone(file: str) -> Zone:
    trouble: object
    try:
        return Zone.parse(Path(file).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        trouble = Sentence(N_("{file} is no zone file: it is not text"), file=file)
    except OSError as error:
        trouble = f"{file}: {error.strerror or error}"
    except ValueError as error:
        trouble = f"{file}: {error}"
    raise ConfigError(N_("dns.zone: {error}; write another under [dns] in zegel.toml, or take zone out of it"), error=trouble)
