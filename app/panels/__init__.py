"""What pages are made of: each panel shows one thing and only reads."""
