"""The sites in memory: found by name and secret, by a network of this machine, or by a user of this system. Changed whole, as keys are."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from zegel.config.sections import Network
from zegel.store.sites import Site, digest
from zegel.store.vault import Vault

_NOBODY = bytes(32)  # the digest of a site that is not there


class Sitebook:
    """All sites of one moment."""

    def __init__(self, vault: Vault, sites: Iterable[Site] = ()) -> None:
        self._vault = vault
        self._by_name: dict[str, Site] = {}
        self._by_user: dict[str, Site] = {}
        self._networks: dict[str, tuple[Network, ...]] = {}
        self.replace(sites)

    def replace(self, sites: Iterable[Site]) -> None:
        """Swap the whole book at once."""
        found = list(sites)
        self._networks = {site.name: tuple(map(ipaddress.ip_network, site.networks)) for site in found}
        self._by_user = {site.unix_user: site for site in found if site.unix_user}
        self._by_name = {site.name: site for site in found}

    def named(self, name: str) -> Site | None:
        """The site of that name, disabled or not."""
        return self._by_name.get(name)

    def of_user(self, user: str) -> Site | None:
        """The site of a user of this system; None where it is disabled or there is none."""
        site = self._by_user.get(user)
        return site if site is not None and site.enabled else None

    def login(self, name: str, secret: str, address: str) -> Site | None:
        """The site that this secret and address are right for. It takes the same time for one that is not there."""
        site = self._by_name.get(name)
        right = hmac.compare_digest(digest(self._vault, name, secret), site.digest if site is not None else _NOBODY)
        return self.still(site, address) if site is not None and right else None

    def still(self, known: Site, address: str) -> Site | None:
        """The site of now that was let in before: while it has that secret, is enabled, and the address is of its networks."""
        site = self._by_name.get(known.name)
        if site is None or not site.enabled or site.digest != known.digest:
            return None
        return site if not site.networks or self._within(site, address) else None

    def of_network(self, address: str) -> Site | None:
        """The site that needs no login on this machine: the one whose loopback network fits best; None where two fit as well."""
        client = _address(address)
        if client is None or not client.is_loopback:
            return None
        fitting = [
            (network.prefixlen, site)
            for site in self._by_name.values()
            if site.enabled
            for network in self._networks[site.name]
            if network.is_loopback and client in network
        ]
        best = max((length for length, _ in fitting), default=0)
        found = [site for length, site in fitting if length == best]
        return found[0] if len(found) == 1 else None

    def _within(self, site: Site, address: str) -> bool:
        client = _address(address)
        return client is not None and any(client in network for network in self._networks[site.name])


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address; one of IPv4 in IPv6 clothes as plain IPv4, so that it meets the network it belongs to."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
