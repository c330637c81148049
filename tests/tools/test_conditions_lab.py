import numpy as np
import pytest
import torch

from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from modalities.diffusion.small import SmallDenoiserOptions
from modalities.network_file import load_network, save_network
from tools.conditions_bases import (
    NOTHING,
    Base,
    BaseOptions,
    Batch,
    draw_plain,
    drop_words,
    paint,
    teach,
)
from tools.conditions_judges import edge_f1, measure_shapes, train_judge
from tools.conditions_pictures import (
    DRAWERS,
    PARTS,
    _written,
    draw_digits,
    draw_shapes,
    find_edges,
    measure_digits,
    resize,
)
from tools.conditions_training import Lesson, draw_sheet, learn, tell_spread
from tools.digit_lessons import seeded

TINY = BaseOptions(
    10,
    2,
    denoiser=SmallDenoiserOptions(
        height=16,
        width=16,
        channels=(8, 8),
        attention=(0, 1),
        groups=4,
        heads=2,
        token_dim=8,
        tokens=2,
    ),
)


def bar(width: float, slant: float = 0.0, side: int = 48) -> torch.Tensor:
    """Draw a stroke of a width in pixels, which leans to the right by `slant` for each row up."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    away, aside = rows + 0.5 - side / 2, columns + 0.5 - side / 2
    inside = ((aside + slant * away).abs() < width / 2) & (away.abs() < 14)
    return inside.float()[None, None] * 2 - 1


@pytest.fixture
def base() -> Base:
    pytest.importorskip("diffusers")
    found: Base = seeded(0, lambda: Base(TINY))
    return found.requires_grad_(False).eval()


@pytest.mark.parametrize("name", DRAWERS)
def test_a_seed_fixes_pictures_and_parts_differ(name):
    one, again = (DRAWERS[name]("train", 6, 3) for _ in range(2))
    other = DRAWERS[name]("test", 6, 3)
    assert torch.equal(one.values, again.values) and torch.equal(one.words, again.words)
    assert not torch.equal(one.values, other.values)
    assert one.values.amin() >= -1 and one.values.amax() <= 1


def test_parts_share_no_written_digit():
    images = [_written(part)[0].reshape(-1, 64) for part in PARTS]
    assert sum(map(len, images)) == 1797
    for number, first in enumerate(images):
        for second in images[number + 1 :]:
            assert not (first[:, None] == second[None]).all(-1).any()


def test_no_such_part():
    with pytest.raises(ValueError, match="train, validation, test"):
        draw_shapes("tests", 1, 0)


def test_pictures_are_the_same_at_any_size():
    fine, coarse = draw_shapes("train", 5, 0, 32), draw_shapes("train", 5, 0, 16)
    assert torch.equal(fine.words, coarse.words)
    assert (resize(fine, 16).values - coarse.values).abs().mean() < 0.03


def test_thickness_slant_and_scale_of_a_known_stroke():
    thin, thick = (measure_digits(bar(width))[0] for width in (4.0, 8.0))
    # Twice the area by the border, which the short ends lengthen: w h / (w + h), h of 28.
    assert thin[0] == pytest.approx(4 * 28 / 32 / 48, rel=0.05)
    assert thick[0] == pytest.approx(8 * 28 / 36 / 48, rel=0.05)
    assert abs(thin[1]) < 0.02
    assert measure_digits(bar(4.0, slant=0.3))[0, 1] == pytest.approx(0.3, abs=0.03)
    assert thin[2] == pytest.approx(4 * 28 / 48 / 12**0.5, rel=0.02)


def test_a_shape_is_found_where_it_was_drawn():
    shapes = draw_shapes("test", 200, 0, 32)
    squares = shapes.take(shapes.words[:, 0] == 1)
    found = measure_shapes(squares.values)
    assert (found[:, :2] - squares.attributes[:, :2]).abs().max() < 0.04
    assert torch.allclose(found[:, 2], squares.attributes[:, 2] * 2**0.5, atol=0.05)


def test_edges_are_found_again_a_pixel_away_but_not_two():
    values = draw_shapes("test", 20, 0).values
    edges = find_edges(values)
    assert edge_f1(values, edges) == pytest.approx(100)
    assert edge_f1(values, edges.roll(1, 3)) > 99
    assert edge_f1(values, edges.roll(4, 3)) < 80
    assert edge_f1(torch.full_like(values, -1.0), edges) == 0


def test_a_judge_learns_what_pictures_show():
    judge = train_judge("shapes", 16, Lesson(steps=40, rate=3e-3, batch=32, warmup=5), 300)
    test = draw_shapes("test", 200, 0)
    _, colour = judge.score(test.values, test.words)
    assert colour > 50  # of 17 by chance
    assert judge.name(test.values)[:, 1].amin() >= 4
    assert judge.distance(test.values[:100], test.values[100:]) < judge.distance(
        -test.values[:100], test.values[100:]
    )


def test_words_are_left_out_as_often_as_asked():
    words = torch.zeros(20_000, 2, dtype=torch.long)
    dropped = drop_words(words, torch.Generator().manual_seed(0), 0.1) == NOTHING
    # A row as a whole, or each of its words.
    assert dropped.float().mean() == pytest.approx(0.19, abs=0.01)
    assert dropped.all(1).float().mean() == pytest.approx(0.1 + 0.9 * 0.01, abs=0.01)


def test_encoding_loses_nothing(base):
    values = draw_shapes("train", 3, 0).values
    assert torch.allclose(base.decode(base.encode(values)), values, atol=1e-6)


def test_an_untold_word_is_the_empty_token(base):
    tokens = base.tokens(torch.tensor([[NOTHING, 3]]))
    assert torch.equal(tokens[0, 0], base.denoiser.empty[0])
    assert torch.equal(tokens[0, 1], base.words.weight[3])


def test_a_base_is_written_and_read(base, tmp_path):
    save_network(base, tmp_path / "base.safetensors", half=False)
    again = load_network(Base, BaseOptions, tmp_path / "base.safetensors")
    words = torch.tensor([[0, 4], [1, 5]])
    assert again.options == TINY
    assert torch.equal(paint(base, words, steps=2), paint(again, words, steps=2))


def test_a_picture_depends_on_its_own_noise_alone(base):
    words = torch.tensor([[0, 4], [1, 5], [2, 6]])
    all_rows, last = paint(base, words, 7, steps=2), paint(base, words[2:], 9, steps=2)
    assert torch.allclose(all_rows[2:], last, atol=1e-5)
    assert paint(base, words, steps=1, side=24).shape == (3, 3, 24, 24)


def test_injectors_learn_and_the_base_stays(base):
    pictures = draw_shapes("train", 20, 0)
    changes = {"map": {"channels": 1, "pixels": 2}}
    injectors = build_preset(base.unet, "t2i_adapter_light", changes)
    injection = inject(base.denoiser, injectors)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    told = Condition("map", "map", pictures.edges[:2])

    def draw(generator: torch.Generator, rows: int) -> Batch:
        plain = draw_plain(base, pictures.take(slice(0, 2)))(generator, 2)
        return Batch(plain.latents, plain.words, [told])

    words = pictures.words[:2]
    fresh = paint(base, words, 0, injection, [told], steps=2)
    assert torch.equal(fresh, paint(base, words, steps=2))
    lesson = Lesson(steps=4, rate=0.1, warmup=1, batch=2)
    found = teach(base, list(injectors.values()), draw, lesson, 0, injection)
    assert len(found.curve) == 4
    assert not torch.equal(paint(base, words, 0, injection, [told], steps=2), fresh)
    injection.remove()
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_learning_is_fixed_by_its_seed_and_finds_the_least_squares():
    def fit(seed: int) -> tuple[float, list[float]]:
        layer = seeded(1, lambda: torch.nn.Linear(1, 1))

        def losses(generator: torch.Generator) -> dict[str, torch.Tensor]:
            given = torch.randn(32, 1, generator=generator)
            return {"loss": (layer(given) - 3 * given).square().mean()}

        curve = learn([layer], losses, Lesson(300, 0.1, 1, 32, 0.0), seed).curve
        return float(layer.weight.detach()), curve

    first, again = fit(0), fit(0)
    assert first == again and first[0] == pytest.approx(3, abs=0.01)
    assert fit(1)[1] != first[1]


def test_a_loss_that_is_no_number_is_told():
    layer = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match="no finite number"):
        learn([layer], lambda _: {"loss": layer.weight.sum() * float("nan")}, Lesson(2), 0)


def test_the_step_size_rises_and_falls():
    lesson = Lesson(steps=100, rate=1.0, warmup=10)
    assert lesson.rate_at(0) == pytest.approx(0.1)
    assert lesson.rate_at(9) > 0.9
    assert lesson.rate_at(50) == pytest.approx(0.5)
    assert lesson.rate_at(99) < 0.01


def test_a_sheet_has_a_line_for_each_name(tmp_path):
    from PIL import Image

    digits, shapes = draw_digits("train", 4, 0).values, draw_shapes("train", 4, 0, 24).values
    draw_sheet({"digits": digits, "shapes": shapes}, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (4 * (2 * 24 + 2), 2 * 12 + 34 + 50)
        assert np.asarray(sheet.convert("RGB")).std() > 0


def test_a_spread_needs_two_seeds():
    assert tell_spread([81.0, 83.0]) == "82.0 ± 1.4"
    assert tell_spread([0.123], 2) == "0.12"
