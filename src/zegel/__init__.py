"""Zegel: self-hosted e-mail authentication. The front door; its names are loaded when first used."""
