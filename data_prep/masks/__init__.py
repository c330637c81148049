"""Pictures with masks of what is to be found in them: read, described, split and checked."""
