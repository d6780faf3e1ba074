"""Order flow: what the book and the trades of one symbol say. Pure and free of clocks; see docs/order_flow.md."""
