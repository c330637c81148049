"""The page of `mcgurk serve`: a file or a recording goes in, what was said and seen comes out."""
