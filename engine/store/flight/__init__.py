"""The flight recorder: what was on the wire, into files; segments, what is kept secret, and the list of them."""
