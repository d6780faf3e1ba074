"""Captures: raw frames in files; read, judged, and played through their venue's own decoder."""
