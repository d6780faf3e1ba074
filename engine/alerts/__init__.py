"""Alerts: what is worth telling a person who is not looking, and the ways to tell it."""
