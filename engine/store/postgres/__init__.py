"""Recordings on a PostgreSQL server: its tables, its wire form, its only door."""
