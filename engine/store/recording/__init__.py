"""A recording while it runs: what waits, what is gathered for a transaction, who writes it, how long it is kept."""
