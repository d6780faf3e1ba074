"""Recordings as Parquet files: written once, read back as the same recording."""
