"""Adapters, adapter sets, routers and audio-visual fusion."""
