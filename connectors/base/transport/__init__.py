"""From a venue's address to a symbol's listeners, once for all venues: links, sessions, polling, repair."""
