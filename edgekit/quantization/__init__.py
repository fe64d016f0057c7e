"""What int8 needs besides a converter."""
