"""The tape deck: plays recordings as if they were venues."""
