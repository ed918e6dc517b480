"""Engines: what drives plans."""
