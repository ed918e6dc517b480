"""Declared workflows: recorded from a body, kept as data, checked before anything runs."""
