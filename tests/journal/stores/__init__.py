"""Stores as earlier versions of the tables wrote them."""
