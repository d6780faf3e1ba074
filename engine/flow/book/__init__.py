"""What the book of one symbol says: prices, sizes and their changes."""
