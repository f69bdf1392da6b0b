"""What a live endpoint can do, found by asking it."""
