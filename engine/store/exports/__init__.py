"""A recording as one file for elsewhere: session bundles, tables, archives."""
