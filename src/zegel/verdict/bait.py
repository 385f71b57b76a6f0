"""Words that forgers put beside a name to be believed, in English, Dutch, French and German: data, and nothing else.

The list is ours, drawn from what such names promise: a login, a payment, a parcel, help, safety. They are compared
as skeletons. A word that real organisations put behind the name of another (garden, city, fans) is none of them.
"""

from __future__ import annotations

from zegel.verdict.skeleton import skeleton

# Told even when they are joined to a name without a hyphen: hardly anybody registers such a name in honesty.
_STRONG = """
    account accounts alert alerts auth authentication billing confirm confirmation helpdesk invoice invoices login logon noreply password
    payment payments payroll recovery refund refunds reset secure secured security signin unlock update updates validate validation
    verification verified verify
    aanmelden betaling betalingen bevestiging beveiliging factuur facturen herinnering inloggen klantendienst klantenservice terugbetaling
    veiligheid verificatie wachtwoord
    authentification compte comptes connexion facture factures moncompte paiement paiements remboursement securite virement
    anmelden anmeldung bestatigung kundendienst kundenservice mahnung passwort rechnung rechnungen sicherheit zahlung zahlungen
"""
# Told beside a hyphen, and passed over in a name that people are shown. Joined, they are in honest names too (googlemail, applepay).
_WEAK = """
    access admin app assist bank banking benefits bill business card careers cert check claim client clients cloud contact corp customer
    customers delivery department desk direct document documents email finance global group help hr id info it mail mailer mails member
    message messages mfa my news newsletter notice notification notifications notify office official online order orders pay portal post
    reply safe safety sales server service services shared shipping shop sign sms sso staff store support survey team ticket tracking
    transfer user valid vpn wallet web webmail welcome www
    aanvraag afdeling bericht berichten bestelling betaal betaaldienst bevestig boekhouding controle dienst dienstverlening facturatie
    hulp kantoor klant klanten melding meldingen mijn nieuws nieuwsbrief onderhoud ondersteuning ontvangst pakket rekening teken veilig
    verifieer verzending webwinkel
    acces aide alerte annonce assistance avis banque bienvenue clientele colis commande comptabilite contrat courriel courrier espace
    facturation livraison mobile relance securise suivi
    abteilung auftrag benachrichtigung bestellung buchhaltung dokumente einloggen erstattung hilfe kasse konto kunde kunden lieferung
    meinkonto nachricht paket personal postfach sicher uberweisung versand verifizierung
"""
_FORMS = "ag asbl bv bvba co corp corporation cv cvba gmbh inc kg limited llc llp ltd nv oy plc sa sarl sas sl spa sprl srl the vof vzw"

# Each by its skeleton.
STRONG_BAIT = {skeleton(word): word for word in _STRONG.split()}
BAIT = STRONG_BAIT | {skeleton(word): word for word in _WEAK.split()}
LEGAL_FORMS = frozenset(map(skeleton, _FORMS.split()))
