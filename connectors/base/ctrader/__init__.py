"""cTrader's Open API: its messages, its log-in, its map of quotes and its trendbars."""
