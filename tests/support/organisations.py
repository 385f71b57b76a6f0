"""Domains of two hundred organisations that forgers like to imitate: a list such as a careful administrator would keep of partners."""

from __future__ import annotations

from zegel.grammar.domain import Domain

_DOMAINS = """
    microsoft.com office.com live.com outlook.com hotmail.com google.com gmail.com youtube.com apple.com icloud.com amazon.com amazon.de
    amazon.fr amazon.nl amazon.co.uk facebook.com instagram.com whatsapp.com linkedin.com twitter.com netflix.com spotify.com disneyplus.com
    adobe.com dropbox.com docusign.com docusign.net salesforce.com oracle.com sap.com ibm.com intel.com cisco.com dell.com hp.com lenovo.com
    samsung.com sony.com nokia.com ericsson.com github.com gitlab.com atlassian.com slack.com zoom.us cloudflare.com akamai.com mozilla.org
    wikipedia.org wikimedia.org python.org debian.org ietf.org icann.org ripe.net yahoo.com aol.com fastmail.com proton.me gmx.net web.de
    paypal.com stripe.com adyen.com mollie.com wise.com revolut.com visa.com mastercard.com americanexpress.com westernunion.com
    coinbase.com binance.com kraken.com ebay.com aliexpress.com alibaba.com booking.com airbnb.com expedia.com tripadvisor.com uber.com
    deliveroo.com takeaway.com ikea.com zalando.com hm.com nike.com adidas.com lego.com bol.com coolblue.be coolblue.nl mediamarkt.be
    decathlon.com colruyt.be delhaize.be carrefour.com aldi.be lidl.com ah.nl jumbo.com hema.nl kruidvat.nl
    dhl.com dhl.de ups.com fedex.com dpd.com gls-group.com postnl.nl bpost.be laposte.fr royalmail.com usps.com deutschepost.de
    kbc.be belfius.be ing.com ing.be ing.nl bnpparibasfortis.be bnpparibas.com argenta.be crelan.be axa.be axa.com ethias.be ag.be
    rabobank.nl abnamro.nl snsbank.nl triodos.com bunq.com deutsche-bank.de commerzbank.de sparkasse.de dkb.de hsbc.com barclays.co.uk
    lloydsbank.co.uk natwest.com santander.com bbva.com unicredit.it intesasanpaolo.com societegenerale.fr creditagricole.fr
    wellsfargo.com chase.com bankofamerica.com citibank.com capitalone.com att.com verizon.com t-mobile.com vodafone.com orange.com
    orange.be orange.fr proximus.be telenet.be kpn.com ziggo.nl telekom.de swisscom.ch
    belgium.be fgov.be vlaanderen.be gent.be antwerpen.be brussels.be overheid.nl rijksoverheid.nl belastingdienst.nl digid.nl gov.uk
    europa.eu service-public.fr impots.gouv.fr bund.de itsme.be doccle.be isabel.eu
    acerta.be sdworx.com securex.be liantis.be partena.be randstad.com adecco.com manpower.com
    engie.com luminus.be eneco.com vattenfall.com fluvius.be shell.com totalenergies.com bp.com
    ugent.be kuleuven.be vub.be uantwerpen.be tudelft.nl uva.nl messiah.edu ucla.edu mit.edu stanford.edu
    brusselsairlines.com klm.com lufthansa.com ryanair.com nmbs.be ns.nl sncf.com eurostar.com
    cnn.com bbc.co.uk vrt.be nytimes.com
"""
PARTNERS = tuple(map(Domain.parse, _DOMAINS.split()))
