"""Detectors: each watches for one kind of event, from past data alone."""
