"""From events to readers: continuity, quality, the feed of one symbol, mailboxes and the hub."""
