"""The RFC index: which sections Zegel keeps, in which rooms, and which tests hold them.

``index.toml`` is written by people; :mod:`rfc.check` compares it with what the code and the tests cite; :mod:`rfc.page` writes
``docs/standards.md`` from both. ``python -m rfc`` runs the checks (``make check`` does), ``python -m rfc --write`` the page.
"""
