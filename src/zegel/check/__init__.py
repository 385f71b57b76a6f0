"""Is this domain DKIM-proof? What a domain shows of its e-mail authentication, item by item, and what would mend it."""
