"""A market that is made up, the exchange that trades it, and everything that an exchange can do wrong."""
