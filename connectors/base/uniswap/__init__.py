"""Uniswap v3 pools: what a node is asked, the arithmetic of a pool, and a chain's blocks as a link."""
