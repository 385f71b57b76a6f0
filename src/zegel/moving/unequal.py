"""What becomes of each parameter of opendkim.conf(5) that is not about which key signs what: done by a setting of ours, or not done at all.

One table, so that none is passed over in silence: a parameter that is in neither list here and is not read elsewhere is told as unknown.
"""

from __future__ import annotations

from zegel.moving.model import Weight
from zegel.words import N_

# Read by zegel.moving.opendkim.
READ = frozenset(
    """
    domain selector keyfile keytable signingtable subdomains multiplesignatures internalhosts mode signaturealgorithm basedirectory include
    canonicalization signaturettl externalignorelist
    """.split()  # noqa: SIM905 - a list this long is read as text
)

# Nothing of them is missed: logging, processes, limits and DNS, which Zegel has its own way with, or what it always does.
QUIET = frozenset(
    """
    allowsha1only alwaysaddarheader authservidwithjobid autorestart autorestartcount autorestartrate background captureunknownerrors
    changerootdirectory clockdrift diagnostics diagnosticdirectory disablecryptoinit dnsconnect dnstimeout domainkeyscompat enablecoredumps
    fixcrlf keeptemporaryfiles ldapauthmechanism ldapauthname ldapauthrealm ldapauthuser ldapbindpassword ldapbinduser ldapdisablecache
    ldapkeepaliveidle ldapkeepaliveinterval ldapkeepaliveprobes ldaptimeout ldapusetls logresults logwhy maximumheaders
    maximumsignaturestoverify milterdebug minimumkeybits mta mtacommand noheaderb pidfile querycache removearall removearfrom
    requiresafekeys resolvertracing singleauthresult softstart softwareheader strictheaders stricttestmode syslog syslogfacility syslogname
    syslogsuccess temporarydirectory testdnsdata testpublickeys unprotectedkey userid boguskey weaksyntaxchecks smtpuri
    unboundconfigfile
    """.split()  # noqa: SIM905 - as above
)

_FIELDS = N_(
    "which fields are signed is not for setting: those of RFC 6376 5.4.1 and List-*, with From, To, Cc, Subject, Reply-To and the MIME "
    "fields signed against additions; nothing to do"
)
_MAIL_PASSES = N_("Zegel passes mail on with what it found, and defers it (451) on a fault of its own; see inbound.mode in zegel.toml")
_REPORTS = N_("Zegel sends no reports about single failed signatures; DMARC's reports tell the owners of domains")
_LUA = N_("there are no policy scripts; what it does has to be done in Postfix, or by [[inbound.rule]]")
_VBR = N_("there is no Vouch By Reference (RFC 5518), which hardly anybody asks for any more; nothing to do")
_EXEMPT = N_("no mail is exempt by its recipient or sender: who may sign as whom is in [[outbound.allow]]")
_STATISTICS = N_("there is no such file; see zegel message list, and metrics.listen for Prometheus")
_RESIGN = N_("mail from outside is never signed; a forwarder seals with ARC, or signs as a domain of its own before it goes out")
_LENGTH = N_("no part of a body is left unsigned (l=): others could write the rest (RFC 6376 8.2); nothing to do")

TOLD: dict[str, tuple[Weight, str]] = {
    "authservid": (Weight.NOTE, N_('write under [inbound] in zegel.toml: authserv_id = "{value}"')),
    "nameservers": (Weight.NOTE, N_('write under [dns] in zegel.toml: nameservers = ["{value}"], each address in quotes of its own')),
    "socket": (Weight.NOTE, N_("opendkim listens at {value}; zegel postfix setup puts Zegel there in Postfix's lists, at milter.listen")),
    "umask": (Weight.NOTE, N_("who may use the socket is socket_group and socket_mode under [milter] in zegel.toml")),
    "macrolist": (Weight.NOTE, N_("by the macros {value} opendkim knows whose mail to sign; write an [[outbound.allow]] for each of them")),
    "peerlist": (Weight.NOTE, N_("all mail from outside is checked; for a content filter that hands mail back: outbound.reinjected")),
    "trustanchorfile": (Weight.NOTE, N_("Zegel asks a resolver that checks DNSSEC, and believes it with dns.trust_ad in zegel.toml")),
    "resolverconfiguration": (Weight.NOTE, N_("Zegel has no resolver of its own; name yours under [dns] in zegel.toml")),
    "signheaders": (Weight.UNEQUAL, _FIELDS),
    "omitheaders": (Weight.UNEQUAL, _FIELDS),
    "oversignheaders": (Weight.UNEQUAL, _FIELDS),
    "senderheaders": (Weight.UNEQUAL, N_("the key is chosen by From and nothing else, as DMARC looks at that; opendkim looks at {value}")),
    "sendermacro": (Weight.UNEQUAL, N_("the key is chosen by From and nothing else, as DMARC looks at that; opendkim looks at {value}")),
    "selectcanonicalizationheader": (Weight.UNEQUAL, N_("canonicalization is the same for all mail: signing.canonicalization")),
    "bodylengthdb": (Weight.UNEQUAL, _LENGTH),
    "maximumsignedbytes": (Weight.UNEQUAL, _LENGTH),
    "minimum": (Weight.UNEQUAL, N_("a signature with l= that leaves part of the body out never counts; nothing to do")),
    "mustbesigned": (Weight.UNEQUAL, N_("fields that must be signed are not for setting: a second From that is not signed never counts")),
    "dontsignmailto": (Weight.UNEQUAL, _EXEMPT),
    "exemptdomains": (Weight.UNEQUAL, _EXEMPT),
    "popdbfile": (Weight.UNEQUAL, N_("there is no POP before SMTP; let people log in, and write [[outbound.allow]] with login")),
    "identityheader": (Weight.UNEQUAL, N_("Zegel writes no i=, which means the same to a receiver that looks at d=")),
    "identityheaderremove": (Weight.UNEQUAL, N_("Zegel writes no i=, which means the same to a receiver that looks at d=")),
    "ignoremalformedmail": (Weight.UNEQUAL, _MAIL_PASSES),
    "requiredheaders": (Weight.UNEQUAL, _MAIL_PASSES),
    "quarantine": (Weight.UNEQUAL, _MAIL_PASSES),
    "keepauthresults": (Weight.UNEQUAL, N_("Authentication-Results in our own name that came from outside are always taken out")),
    "removeoldsignatures": (Weight.UNEQUAL, N_("the signatures of others stay in mail that goes out: they may still hold")),
    "resignall": (Weight.UNEQUAL, _RESIGN),
    "resignmailto": (Weight.UNEQUAL, _RESIGN),
    "redirectfailuresto": (Weight.UNEQUAL, _MAIL_PASSES),
    "replaceheaders": (Weight.UNEQUAL, N_("nothing is rewritten before it is signed; let Postfix do it first (canonical_maps)")),
    "replacerules": (Weight.UNEQUAL, N_("nothing is rewritten before it is signed; let Postfix do it first (canonical_maps)")),
    "trustsignaturesfrom": (Weight.UNEQUAL, N_("a signature of any domain is told; only one aligned with From counts for DMARC")),
}
"""By the name in lower case: what it weighs, and what to say; ``{value}`` is what is written there."""

_ALIKE = (
    ("badsignature default dnserror internalerror keynotfound nosignature security signatureerror", "on-", _MAIL_PASSES),
    ("reportaddress reportbccaddress requestreports sendreports", "", _REPORTS),
    ("finalpolicyscript screenpolicyscript setuppolicyscript", "", _LUA),
    ("statistics statisticsname statisticspolicyscript statisticsprefix", "", _STATISTICS),
    ("certifiers purgefields trustedcertifiers trustedcertifiersonly type", "vbr-", _VBR),
)
TOLD.update({before + name: (Weight.UNEQUAL, sentence) for names, before, sentence in _ALIKE for name in names.split()})

UNKNOWN = N_("this Zegel does not know {name}; look what it does, and whether you need it")
# What a Boolean says when it is off asks for nothing.
BOOLEAN = frozenset(
    """
    identityheaderremove ignoremalformedmail keepauthresults quarantine removeoldsignatures requestreports requiredheaders resignall
    sendreports vbr-trustedcertifiersonly
    """.split()  # noqa: SIM905 - as above
)
