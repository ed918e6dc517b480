"""Policies as data, and what they do to a call."""
