"""Entries as columns and back, and what all stores that keep them so have in common."""
