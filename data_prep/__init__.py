"""From raw media to waveforms, faces, mouth crops and manifests."""
