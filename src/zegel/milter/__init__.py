"""The milter protocol without a socket: bytes in, events out."""
