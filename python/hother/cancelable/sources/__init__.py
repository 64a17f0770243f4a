"""What may end an operation from outside."""
