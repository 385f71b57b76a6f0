"""Sender Policy Framework: who may send for a domain. RFC 7208, with 8616 (internationalised mail)."""
