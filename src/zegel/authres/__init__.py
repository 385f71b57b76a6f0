"""The Authentication-Results header field. RFC 8601."""
