"""The journal: what has been decided, kept in one SQLite file that one process drives."""
