"""Plain values of a market: instruments, events, books, signals, orders."""
