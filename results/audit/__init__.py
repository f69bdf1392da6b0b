"""Trajectories read by rules: which lines are worth a person's reading, and at what rate."""
