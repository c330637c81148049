"""Face tracks, mouth crops and the choice of the talking face."""
