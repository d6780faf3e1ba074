"""Recordings in one DuckDB file: its tables, its journal, what its failures mean."""
