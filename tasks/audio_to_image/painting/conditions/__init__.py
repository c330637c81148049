"""What a painter is told beside sounds: edges, attributes, sizes, by adapters of their own."""
