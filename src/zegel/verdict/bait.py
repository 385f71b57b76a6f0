"""Words that forgers put beside a name to be believed, in English, Dutch, French and German: data, and nothing else.

The list is ours, drawn from what such names promise: a login, a payment, a parcel, help, safety, a portal. They are kept as skeletons, in
which they are compared. A word that real organisations put behind the name of another (garden, city, fans) is none of them.
"""

from __future__ import annotations

from zegel.verdict.skeleton import skeleton

_WORDS = """
    access account accounts admin alert alerts alerte app assist auth bank banking benefits bill billing card careers cert check
    claim client clients cloud confirm contact corp customer customers delivery department desk document documents email finance
    help helpdesk hr id info inc invoice invoices login logon mail mailer mails member message messages mfa my news
    newsletter noreply notice notification notifications notify office official online order orders pay payment payments payroll
    portal post recovery refund reply reset safe safety sales secure secured security server service services shared shipping shop sign
    signin sms sso staff store support survey team ticket tracking transfer unlock update updates user valid validate validation verified
    verify vpn wallet web webmail welcome www
    aanmelden aanvraag afdeling bericht berichten bestelling betaal betaaldienst betaling betalingen bevestig bevestiging beveiliging
    boekhouding controle dienst dienstverlening facturatie factuur facturen herinnering hulp inloggen klant klanten klantendienst
    klantenservice kantoor melding meldingen mijn nieuws nieuwsbrief onderhoud ondersteuning ontvangst pakket rekening teken
    terugbetaling veilig veiligheid verificatie verifieer verzending wachtwoord webwinkel
    acces aide annonce assistance authentification avis banque bienvenue client clientele colis commande compte comptabilite comptes
    confirmation connexion contrat courriel courrier espace facturation facture factures livraison message mobile moncompte paiement
    paiements relance remboursement securise securite service suivi verification virement
    abteilung anmelden anmeldung auftrag benachrichtigung bestellung bestatigung buchhaltung dokumente einloggen erstattung hilfe info
    kasse konto kunde kunden kundendienst kundenservice lieferung mahnung meinkonto nachricht paket passwort personal postfach
    rechnung rechnungen sicher sicherheit support uberweisung versand verifizierung zahlung zahlungen
"""
_FORMS = "ag asbl bv bvba co corp corporation cv cvba gmbh inc kg limited llc llp ltd nv oy plc sa sarl sas sl spa sprl srl vof vzw the"

BAIT = frozenset(map(skeleton, _WORDS.split()))
LEGAL_FORMS = frozenset(map(skeleton, _FORMS.split()))
