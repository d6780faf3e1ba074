"""What runs with the lights off: market values, feeds, strategies. Imports nothing above itself."""
