"""What is kept and what is played again."""
