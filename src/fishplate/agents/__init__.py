"""Agents and tools: a contract plus a behaviour."""
