"""What the results mean together, and the header edits that follow."""
