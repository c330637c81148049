import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from fusion.routing.contract import Routing
from fusion.routing.report import Trace
from fusion.routing.usage_picture import draw_usage, weights_along

FIRST = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]]).repeat(2, 1, 1)


def token_routing(weights, mask=None):
    return Routing(weights, per_token=True, mask=mask)


def test_weights_are_the_mean_over_sites_of_the_first_run():
    second = FIRST.flip(-1)
    trace = Trace([("a", token_routing(FIRST)), ("b", token_routing(second))])
    trace.taken.append(("a", token_routing(second)))
    trace.taken.append(("c", Routing(torch.tensor([[1.0, 0.0]] * 2))))
    assert torch.allclose(weights_along(trace), torch.full((3, 2), 0.5))
    assert torch.equal(weights_along(trace, 1, ["a"]), FIRST[1])


def test_padding_is_left_out_and_rows_sum_to_one():
    mask = torch.tensor([[True, True, True], [True, True, False]])
    trace = Trace([("a", token_routing(4 * FIRST, mask))])
    assert torch.equal(weights_along(trace, 1), FIRST[1, :2])


def test_what_cannot_be_drawn_along_time_is_refused():
    trace = Trace([("a", Routing(torch.ones(1, 2)))])
    with pytest.raises(ValueError, match="weights|Weights are those of whole samples"):
        weights_along(trace)
    with pytest.raises(ValueError, match="b has decided nothing; ran: a"):
        weights_along(trace, 0, ["b"])
    trace = Trace([("a", token_routing(FIRST)), ("b", token_routing(FIRST[:, :2]))])
    with pytest.raises(ValueError, match="a: 3, b: 2"):
        weights_along(trace)


@pytest.mark.parametrize("ending", [".png", ".webp"])
def test_colours_follow_the_experts_that_have_the_weight(tmp_path, ending):
    weights = torch.tensor([[1.0, 0.0]] * 10 + [[0.0, 1.0]] * 10)
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(16_000)).float()
    path = tmp_path / f"usage{ending}"
    spans = {"babble": (0.0, 0.5), "music": (0.5, 1.0)}
    draw_usage(weights, ["first", "second"], 1.0, noise, 16_000, path, spans=spans, title="both")
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    row = picture[len(picture) // 4]
    blue = np.abs(row - (31, 119, 180)).sum(1) < 30
    orange = np.abs(row - (255, 127, 14)).sum(1) < 30
    assert blue.sum() > 100 and orange.sum() > 100
    assert blue.nonzero()[0].max() < orange.nonzero()[0].min() + 2
    assert path.stat().st_size < 80_000


def test_names_and_endings_that_do_not_fit_are_refused(tmp_path):
    weights, noise = torch.full((2, 2), 0.5), torch.ones(800)
    with pytest.raises(ValueError, match="1 names came for 2 experts"):
        draw_usage(weights, ["one"], 1.0, noise, 16_000, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"expected .png or .webp"):
        draw_usage(weights, ["one", "two"], 1.0, noise, 16_000, tmp_path / "a.jpg")


def test_the_library_does_without_matplotlib_until_something_is_drawn():
    code = "import sys, fusion.routing.usage_picture; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
