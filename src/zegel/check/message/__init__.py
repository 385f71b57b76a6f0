"""A test mail: which path it took, who signed it, what receivers would make of it, and what to do."""
