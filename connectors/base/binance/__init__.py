"""What Binance's markets have in common."""
