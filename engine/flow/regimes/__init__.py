"""What kind of market it is: how much and how straight prices move, and when that changed."""
