"""Outlines: closed, and dashed ones half as long."""

import numpy as np

from tasks.pictures.outlines import dashes_of, find_contours


def test_an_outline_is_closed_and_dashes_cover_half_of_it():
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    mask[25:30, 25:30] = False
    outlines = find_contours(mask)
    assert len(outlines) == 2 and all((line[0] == line[-1]).all() for line in outlines)
    whole = max(outlines, key=len)
    length = np.hypot(*np.diff(whole, axis=0).T).sum()
    dashes = dashes_of(whole)
    drawn = sum(np.hypot(*np.diff(dash, axis=0).T).sum() for dash in dashes)
    assert len(dashes) > 5 and 0.4 < drawn / length < 0.55
