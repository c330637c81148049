"""Which noise, how loud, known or not: what chooses an adapter set."""
