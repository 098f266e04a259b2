"""How work runs: seeded draws, the run folder, parts over processes."""
