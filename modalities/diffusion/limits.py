"""How much can be asked of a painting at most, read without torch."""

MOST_STEPS = 1000  # as many times as denoisers know
MOST_GUIDANCE = 100.0  # pictures are burnt long before
MOST_TIMES = 16  # as large a side as a denoiser's own; beyond, nothing is to be seen
MOST_PIXELS = 4096 * 4096  # beyond, memory ends before a picture does
