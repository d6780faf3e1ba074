"""Opinions: one file, one strategy. Each imports the engine and `strategies.base`, never another strategy."""
