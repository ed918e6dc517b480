"""The orchestrator: walks plans, runs steps, keeps what a run knows."""
