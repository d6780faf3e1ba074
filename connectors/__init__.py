"""Ways in: one file, one venue. Each imports the engine and the shared base, never another venue."""
