"""Traces: what happened in a run, kept in memory."""
