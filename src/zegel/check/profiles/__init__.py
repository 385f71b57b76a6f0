"""What others ask of a domain: each body's own list, test by test under its own ids, answered from what a check has found."""
