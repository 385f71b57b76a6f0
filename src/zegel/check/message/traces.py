"""What made a message: the traces that programs, content management systems and sending services leave in its header.

A trace is a stranger's word and proves nothing; it tells the owner which of his own systems to look at. Fields are shown cut and printable.
"""

from __future__ import annotations

from zegel.check.item import Area, Item, Level
from zegel.dkim.header import Header
from zegel.grammar.encodedword import shown as readable
from zegel.words import N_, Sentence

_MOST = 12
_SHOWN = 120
_PHP_SCRIPT = "x-php-originating-script"

# The whole name of a field, lower case, and what writes it.
FIELDS = {
    _PHP_SCRIPT: "PHP mail()",
    "x-php-script": "PHP mail()",
    "x-php-filename": "PHP mail()",
    "x-mailer": "",
    "user-agent": "",
    "x-generator": "",
    "x-source": "cPanel",
    "x-source-args": "cPanel",
    "x-originating-ip": "",
    "x-ses-outgoing": "Amazon SES",
    "x-sg-eid": "SendGrid",
    "x-mandrill-user": "Mandrill",
    "x-mc-user": "Mailchimp",
    "x-campaignid": "",
    "x-pm-message-id": "Postmark",
    "x-mj-mid": "Mailjet",
    "x-sib-id": "Brevo",
    "x-google-dkim-signature": "Google",
    "x-ms-exchange-crosstenant-id": "Microsoft 365",
    "feedback-id": "",
    "auto-submitted": "",
    "precedence": "",
}
# The beginning of a name: families of fields.
FAMILIES = {
    "x-drupal": "Drupal",
    "x-wp-": "WordPress",
    "x-wordpress": "WordPress",
    "x-joomla": "Joomla",
    "x-typo3": "TYPO3",
    "x-civi": "CiviCRM",
    "x-odoo": "Odoo",
    "x-moodle": "Moodle",
    "x-mailgun-": "Mailgun",
    "x-cpanel": "cPanel",
}


def traces(header: Header) -> list[str]:
    """The fields that tell what made the message, each as one line, and who writes such a field where that is known; at most so many."""
    found: list[str] = []
    for place, key in enumerate(header.layout.keys):
        writer = FIELDS.get(key)
        if writer is None:
            writer = next((name for start, name in FAMILIES.items() if key.startswith(start)), None)
        if writer is None:
            continue
        (line,) = header.lines("simple", (place,))
        name, _, value = line[: 8 * _SHOWN].partition(b":")
        text = readable(value.decode("utf-8", "replace"), longest=_SHOWN)
        found.append(f"{name.decode('ascii', 'replace').strip()}: {text}{f' ({writer})' if writer else ''}")
        if len(found) == _MOST:
            break
    return found


def items(header: Header) -> list[Item]:
    """What made the message, and the script that PHP tells everybody of."""
    found = traces(header)
    if not found:
        return []
    listed = [Item("message.software", Area.PATH, Level.INFO, Sentence(N_("traces of what made it")), seen=tuple(found))]
    if header.layout.places(_PHP_SCRIPT):
        shown = Sentence(N_("PHP tells every recipient which script sent this (X-PHP-Originating-Script)"))
        why = Sentence(N_("it helps you to find the script, and strangers too"))
        step = Sentence(N_("once all is found, set {setting} in php.ini"), setting="mail.add_x_header = Off")
        listed.append(Item("message.php_script", Area.PATH, Level.INFO, shown, why, tuple(found[:1]), step=step))
    return listed
