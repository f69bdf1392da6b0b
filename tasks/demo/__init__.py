"""The demo tasks, and an endpoint that replays recorded replies to them."""
