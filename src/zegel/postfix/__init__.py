"""Beside Postfix: what its configuration needs, what would change, what is wrong."""
