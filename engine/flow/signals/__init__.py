"""From scores to signals, and what came of them."""
