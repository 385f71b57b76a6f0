"""DomainKeys Identified Mail. RFC 6376, with 8301 (algorithms), 8463 (Ed25519) and 8616 (internationalised mail)."""
