"""What order flow found in a capture, as files: the parts of `python -m engine flow`."""
