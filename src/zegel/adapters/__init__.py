"""Where the core meets the world: DNS, sockets, keys in memory, the log."""
