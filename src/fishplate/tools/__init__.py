"""Tools: what they do to the outside world, declared as data."""
