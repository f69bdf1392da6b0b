"""Other people's coding agents, unmodified: each a constant, run in the box by one scaffold."""
