import numpy as np
import pytest

from data_prep.masks.scenes.palette import RGB
from data_prep.questions.scenes.drawing import AREAS, arrange, render_picture
from data_prep.questions.scenes.world import WORLDS

SOLID = ("circle", "square", "triangle", "star", "cross", "oval", "rectangle")


def test_a_seed_gives_the_same_picture_and_another_another(look):
    first, again = (render_picture(3, 7, look) for _ in range(2))
    assert np.array_equal(first.image, again.image) and first.scene == again.scene
    assert not np.array_equal(first.image, render_picture(4, 7, look).image)
    assert first.image.shape == (160, 160, 3) and first.image.dtype == np.uint8


def test_a_scene_can_be_had_without_its_picture(look):
    assert arrange(3, 7, look) == render_picture(3, 7, look).scene


def test_the_pixel_in_a_thing_s_middle_has_its_colour(look):
    values = WORLDS[look].values
    checked = 0
    for number in range(60):
        picture = render_picture(1, number, look)
        for thing in picture.scene.things:
            assert thing.colour in values["colour"] and thing.shape in values["shape"]
            if thing.pattern == "plain" and thing.shape in SOLID:
                column, row = (int(160 * place) for place in (thing.x, thing.y))
                spot = picture.image[row - 1 : row + 2, column - 1 : column + 2]
                away = {
                    name: np.linalg.norm(spot.mean((0, 1)) - np.array(RGB[name]))
                    for name in values["colour"]
                }
                assert min(away, key=lambda name: away[name]) == thing.colour
                checked += 1
    assert checked > 25


def test_patterns_have_two_colours_within_a_thing():
    found = 0
    for number in range(40):
        picture = render_picture(2, number, "unseen")
        for thing in picture.scene.things:
            if thing.shape in SOLID and thing.size == "large":
                column, row = (int(160 * place) for place in (thing.x, thing.y))
                spot = picture.image[row - 6 : row + 7, column - 6 : column + 7].astype(float)
                assert (spot.mean(2).std() > 25) == (thing.pattern != "plain")
                found += 1
    assert found > 20


def test_centres_are_apart_by_more_than_a_small_thing_is_wide(look):
    radius = np.sqrt(AREAS["small"][0] / np.pi)
    for number in range(100):
        things = arrange(1, number, look).things
        assert 1 <= len(things) <= 5
        for place, one in enumerate(things):
            for other in things[:place]:
                assert np.hypot(one.x - other.x, one.y - other.y) > radius


def test_second_pictures_have_something_of_the_first():
    shared = 0
    for number in range(0, 200, 2):
        first, second = (arrange(0, one, "seen").things for one in (number, number + 1))
        told = [{(one.colour, one.shape) for one in things} for things in (first, second)]
        shared += bool(told[0] & told[1])
    assert 50 < shared < 95


def test_a_picture_too_small_for_patterns_is_refused():
    with pytest.raises(ValueError, match="Size is 64; expected 96"):
        render_picture(0, 0, "seen", 64)
