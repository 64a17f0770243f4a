"""What belongs to a web framework or a client: each room imports its own, and this one none of them."""
