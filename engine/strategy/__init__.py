"""Running opinions: parameters, the host that runs strategies on every update."""
