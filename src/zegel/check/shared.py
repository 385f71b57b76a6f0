"""Services whose SPF record lets in the servers of all their customers at once, known by the name that is included.

A pass of SPF then says that some customer of the service sent it. BreakSPF (NDSS 2024), VU#244112: where customers of one host can
reach port 25 themselves, any of them can pass as the others; services that send for their customers may check whose domain it is, and some
did not. The table is written by hand from the names that these services tell their customers to include; it decides no verdict.
"""

from __future__ import annotations

from typing import NamedTuple


class Service(NamedTuple):
    """A service: its name, and whether its customers' own programs send from the shared addresses (hosting) or it sends for them."""

    name: str
    hosting: bool = False


_SERVICES = {
    "_custspf.one.com": Service("one.com", hosting=True),
    "_mailcust.gandi.net": Service("Gandi", hosting=True),
    "_netblocks.mimecast.com": Service("Mimecast"),
    "_spf.atlassian.net": Service("Atlassian"),
    "_spf.elasticemail.com": Service("Elastic Email"),
    "_spf.google.com": Service("Google Workspace"),
    "_spf.kundenserver.de": Service("IONOS", hosting=True),
    "_spf.mail.hostinger.com": Service("Hostinger", hosting=True),
    "_spf.perfora.net": Service("IONOS", hosting=True),
    "_spf.protonmail.ch": Service("Proton"),
    "_spf.salesforce.com": Service("Salesforce"),
    "_spf.transip.email": Service("TransIP", hosting=True),
    "amazonses.com": Service("Amazon SES"),
    "cust-spf.exacttarget.com": Service("Salesforce Marketing Cloud"),
    "email.freshdesk.com": Service("Freshdesk"),
    "hubspotemail.net": Service("HubSpot"),
    "mail.zendesk.com": Service("Zendesk"),
    "mailgun.org": Service("Mailgun"),
    "mx.ovh.com": Service("OVH", hosting=True),
    "pphosted.com": Service("Proofpoint"),
    "relay.mailchannels.net": Service("MailChannels", hosting=True),
    "secureserver.net": Service("GoDaddy", hosting=True),
    "sendgrid.net": Service("SendGrid"),
    "servers.mcsv.net": Service("Mailchimp"),
    "service-now.com": Service("ServiceNow"),
    "sparkpostmail.com": Service("SparkPost"),
    "spf.brevo.com": Service("Brevo"),
    "spf.constantcontact.com": Service("Constant Contact"),
    "spf.infomaniak.ch": Service("Infomaniak", hosting=True),
    "spf.mailjet.com": Service("Mailjet"),
    "spf.mailprotect.be": Service("Combell", hosting=True),
    "spf.mandrillapp.com": Service("Mandrill"),
    "spf.messagingengine.com": Service("Fastmail"),
    "spf.mtasv.net": Service("Postmark"),
    "spf.protection.outlook.com": Service("Microsoft 365"),
    "spf.sendinblue.com": Service("Brevo"),
    "spf.web-hosting.com": Service("Namecheap", hosting=True),
    "zoho.com": Service("Zoho"),
    "zoho.eu": Service("Zoho"),
}


def service(name: str) -> Service | None:
    """The service that an included name belongs to, its own name or one below it; None for what is not known."""
    while name:
        if name in _SERVICES:
            return _SERVICES[name]
        name = name.partition(".")[2]
    return None


def services() -> list[tuple[Service, list[str]]]:
    """All services that are known, by name, each with the names that are included."""
    return [(one, [name for name, found in _SERVICES.items() if found == one]) for one in sorted(set(_SERVICES.values()))]
