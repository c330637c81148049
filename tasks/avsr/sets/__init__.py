"""Collections of adapter sets: choose one for what is heard, and recognise with it."""
