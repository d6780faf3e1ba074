"""The contestants: each module prepares one way to do the same work on the same frames."""
