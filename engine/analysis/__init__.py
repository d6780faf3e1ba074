"""Analysis of running feeds: who is looked at is analysed, on the line itself, for everybody at once."""
