"""Banks of adapters and the routers that weigh them: by task, by sample or by token."""
