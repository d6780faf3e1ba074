"""The commands of `python -m engine`: each module adds one, with `add(commands)`."""
