"""Stage 1: a network that takes mixtures apart, what it learns by, and its use on any sound."""
