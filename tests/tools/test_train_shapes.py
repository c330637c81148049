"""The small encoder of pictures: what it is taught, and that what it writes can be loaded."""

import numpy as np
import pytest
import torch

from data_prep.questions.scenes.drawing import render_picture
from data_prep.questions.scenes.world import AXES
from modalities.vision_language.grid_files import load_grid_encoder
from tools.train_shapes import CELLS, NOTHING, PICTURES, VALUES, ShapeLearning, label


@pytest.mark.parametrize("look", ["seen", "unseen"])
def test_each_thing_is_told_where_its_centre_is(look):
    drawn = render_picture(5, 3, look)
    labels = label(drawn)
    told = [
        tuple(VALUES[axis][int(n)] for axis, n in zip(AXES, row, strict=True))
        for row in labels
        if row[0] != NOTHING
    ]
    things = drawn.scene.things
    assert sorted(told) == sorted(tuple(getattr(t, axis) for axis in AXES) for t in things)
    for thing in things:
        assert labels[int(thing.y * CELLS) * CELLS + int(thing.x * CELLS), 0] != NOTHING


def test_what_is_written_sees_as_what_was_trained(tmp_path):
    task = ShapeLearning(seed=0)
    batch = task.collate([task.load(n, np.random.default_rng(0)) for n in range(3)])
    loss = task.module(batch)["loss"]
    assert loss.isfinite() and batch["labels"].shape == (3, CELLS * CELLS, len(AXES))
    loss.backward()
    assert all(p.grad is not None for p in task.module.parameters())
    task.module.eval()
    task.export(tmp_path, {})
    encoder = load_grid_encoder(tmp_path, grid=CELLS)
    assert (encoder.tokens, encoder.dim, encoder.side) == (CELLS**2, 128, PICTURES.side)
    with torch.no_grad():
        maps = task.module.resnet(batch["pixels"]).last_hidden_state
        seen = encoder(batch["pixels"])
    torch.testing.assert_close(seen, maps.flatten(2).transpose(1, 2), rtol=0.02, atol=0.02)
    drawn = render_picture(5, 3, "seen")
    torch.testing.assert_close(
        encoder.prepare(drawn.image.astype(np.float32) / 255),
        PICTURES.prepare(drawn.image.astype(np.float32) / 255),
    )


def test_the_encoder_that_comes_along_tells_shapes_and_colours_apart():
    """Cells of things are more alike where the things are; its own head is not kept."""
    encoder = load_grid_encoder("shapes", grid=CELLS)
    kinds: dict[tuple[str, str], list[torch.Tensor]] = {}
    for number in range(40):
        drawn = render_picture(12, number, "seen")
        with torch.no_grad():
            seen = encoder(encoder.prepare(drawn.image.astype(np.float32) / 255)[None])[0]
        for thing in drawn.scene.things:
            place = int(thing.y * CELLS) * CELLS + int(thing.x * CELLS)
            kinds.setdefault((thing.colour, thing.shape), []).append(seen[place])
    many = {kind: torch.stack(some) for kind, some in kinds.items() if len(some) > 1}
    right = total = 0
    for kind, some in many.items():
        for n, one in enumerate(some):  # the nearest other thing is of the same kind
            others = {
                k: v if k != kind else torch.cat([v[:n], v[n + 1 :]]) for k, v in many.items()
            }
            near = min(others, key=lambda k: float(torch.cdist(one[None], others[k]).min()))
            right, total = right + (near == kind), total + 1
    assert total > 40 and right / total > 0.6
