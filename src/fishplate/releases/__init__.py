"""Releases: what a version is made of."""
