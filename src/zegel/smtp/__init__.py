"""SMTP without a socket: what a submission server says to each octet that comes (RFC 5321, RFC 6409)."""
