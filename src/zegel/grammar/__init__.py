"""The grammars that all protocols share: names, addresses, tag lists, messages. Pure functions on bytes and text."""
