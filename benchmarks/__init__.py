"""Measured comparisons. They print tables and are never part of the test run."""
