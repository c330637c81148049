"""The window in NumPy is that of torch."""

import numpy as np
import pytest
import torch

from modalities.audio.hann import build_hann_window


@pytest.mark.parametrize("samples", [2, 255, 256, 400])
def test_it_is_that_of_torch(samples):
    found = build_hann_window(samples)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, torch.hann_window(samples).numpy(), atol=1e-6)
