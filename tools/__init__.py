"""What a developer runs: publish tables and weights, mix the demo's babble."""
