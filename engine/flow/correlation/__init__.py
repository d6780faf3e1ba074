"""How prices of several symbols move together."""
