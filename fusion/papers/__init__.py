"""The counts that papers print, and the table of methods."""
