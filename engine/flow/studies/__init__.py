"""Whole recordings looked at afterwards; not for live feeds."""
