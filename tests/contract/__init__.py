"""The fault catalogue: everything that a venue can do wrong, done to every connector, and what must come of it."""
