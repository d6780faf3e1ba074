"""The data plane of the browser: from feeds to binary frames, at a steady rate, over a socket of our own."""
