"""The words that every layer shares: errors, calls, outcomes, events, clock, ids."""
