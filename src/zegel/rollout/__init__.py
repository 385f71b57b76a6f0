"""What a domain should publish, and what DNS shows of it."""
