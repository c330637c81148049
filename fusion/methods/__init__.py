"""Every adapter method in a file; `catalog` is the table of them."""
