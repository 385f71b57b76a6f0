"""DMARC (RFC 9989): the policy record, its discovery, alignment, and the verdict on one author domain."""
