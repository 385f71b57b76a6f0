"""Writes the pages that tell what the code has: man pages and reference, from the command line, the configuration and the tables.

``python -m docs.writers`` (``make pages``) writes them, ``--check`` names those that are behind. What the code has and a page cannot
explain is an error here, not a gap on the page.
"""

from __future__ import annotations

import os

# The pages are in English, whatever the reader's language; before the first sentence is translated.
os.environ["LANGUAGE"] = "C"
