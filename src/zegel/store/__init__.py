"""What is kept: organisations, domains, keys. SQLite, in the data folder."""
