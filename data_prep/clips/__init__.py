"""Utterances: manifest, splits, samples, shards, preparation, lhotse's cuts."""
