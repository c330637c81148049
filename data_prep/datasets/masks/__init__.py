"""Published data sets of pictures and masks, as rows of a manifest."""
