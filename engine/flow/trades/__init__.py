"""What trades say: who took, how much, at what cost, and what it moved."""
