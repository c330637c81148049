"""The measure of a training: which times are drawn, who is paired, and how pairs are weighted."""
