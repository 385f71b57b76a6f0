"""What to type into a site: by which way its mail is taken, by the listeners that there are. The password is shown here only."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from zegel.cli import screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.config import Config
    from zegel.config.relay import Relay
    from zegel.store.sites import Site


def show(here: Place, config: Config, site: Site, secret: str) -> None:
    """Show the ways in that there are; where there is none, what is to be set for one. Raises StoreError."""
    relay = config.relay
    by_login, by_network = bool(relay.starttls or relay.tls), bool(relay.loopback) and bool(_loopback(site))
    by_user = bool(site.unix_user and (config.handover.socket or config.handover.drop_folder))
    screen.say()
    if by_login:
        screen.say(_("Type this into its mail settings. The password is shown now only; write it down where you keep such things."))
        screen.say()
        screen.table((_("Setting"), _("Value")), _login(relay, site, secret))
    else:
        screen.say(_("Its password, shown now only; it is for listeners with TLS, and there is none yet:"))
        screen.command(secret)
    if by_network:
        _without_login(here, relay, site)
    if by_user:
        screen.say()
        screen.say(_("Mail that the user {user} gives to zegel-sendmail needs no login.").format(user=site.unix_user))
    if not (by_login or by_network or by_user):
        _none(here, relay, site)
    screen.say()
    screen.say(_("Then see if it works:"))
    screen.command(here.command(f"site test {site.name}"))


def _login(relay: Relay, site: Site, secret: str) -> list[tuple[str, str]]:
    from zegel.config import listen_address

    ways = [(address, "STARTTLS") for address in relay.starttls[:1]] + [(address, "TLS") for address in relay.tls[:1]]
    rows = [(_("Server"), relay.hostname or _("the name of this machine, as in its certificate"))]
    for number, (address, security) in enumerate(ways):
        port = _("Port") if not number else _("or port")
        rows.append((port, _("{port} with {security}").format(port=listen_address(address).port, security=security)))
    return [*rows, (_("User"), site.name), (_("Password"), secret), (_("Login"), "PLAIN / LOGIN")]


def _without_login(here: Place, relay: Relay, site: Site) -> None:
    """The listener that lets it in by its address; two sites of one network are both sent away (``Sitebook.of_network``)."""
    from zegel.config import listen_address
    from zegel.store import sites

    networks = _loopback(site)
    address = listen_address(relay.loopback[0])
    screen.say()
    screen.say(_("From {networks} it needs no login:").format(networks=", ".join(networks)))
    screen.table((_("Setting"), _("Value")), [(_("Server"), address.host), (_("Port"), _("{port} without TLS").format(port=address.port))])
    with here.store_to_look() as store, store.reading() as tx:
        others = [other for other in sites.all(tx) if other.enabled and other.name != site.name]
    for other in others:
        if shared := [network for network in networks if network in other.networks]:
            sentence = _("{network} is of the site {name} too, so neither is let in without a login: give each a network of its own")
            screen.marked(Mark.WRONG, sentence.format(network=shared[0], name=other.name))


def _none(here: Place, relay: Relay, site: Site) -> None:
    screen.say(_("No listener lets it log in yet: set relay.starttls and relay.certificate in {file}").format(file=here.config_file))
    if _loopback(site):
        screen.say(_("Its network needs no login, but no listener takes mail so either: set relay.loopback there."))
    elif relay.loopback:
        screen.say(_("Where it runs on this machine, relay.loopback lets it in without a login, once its network is said:"))
        screen.command(here.command(f"site change {site.name} --network 127.0.0.1/32"))


def _loopback(site: Site) -> list[str]:
    return [network for network in site.networks if ipaddress.ip_network(network).is_loopback]
