import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data_prep.faces import FaceFinder, use_box, use_landmarks, use_mouth_video
from data_prep.faces.landmark_file import reduce_landmarks
from data_prep.faces.plausibility import Size, check_box, check_landmarks

# Right eye, left eye, nose tip, mouth of a head, x to the right, y down, z towards the camera.
HEAD = np.array([[-36.0, -74.0, -30.0], [36, -74, -30], [0, -36, 20], [0, 0, -10]])
SIZES = st.sampled_from([(360, 288), (320, 240), (640, 480), (1920, 1080), (720, 1280), (96, 96)])


@st.composite
def people(draw, yaw=60, pitch=25, tilt=45, frames=12, inside=True):
    """A picture's size, and landmarks of a head in it that nods, turns and goes a little."""
    size = Size(*draw(SIZES))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    turn, nod, roll = (draw(st.floats(-most, most)) for most in (yaw, pitch, tilt))
    shorter = min(size.width, size.height)
    scale = draw(st.floats(max(0.1, 6 / 74), max(0.1, 0.3 * shorter / 74)))
    place = [draw(st.floats(0.3, 0.7)) * side for side in (size.width, size.height)]
    angles = np.radians([turn, nod, roll]) + random.normal(0, 0.03, (frames, 3))
    noise = random.normal(0, 0.02 * 74 * scale, (frames, 4, 2))
    drift = np.cumsum(random.normal(0, 0.01 * shorter, (frames, 1, 2)), axis=0)
    faces = np.stack([_project(*angle) for angle in angles])
    return size, scale * faces + noise + drift * inside + place


def _project(turn, nod, roll):
    sin, cos = np.sin([turn, nod, roll]), np.cos([turn, nod, roll])
    around_y = np.array([[cos[0], 0, sin[0]], [0, 1, 0], [-sin[0], 0, cos[0]]])
    around_x = np.array([[1, 0, 0], [0, cos[1], -sin[1]], [0, sin[1], cos[1]]])
    around_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    return (HEAD @ (around_z @ around_x @ around_y).T)[:, :2]


def complaint(landmarks, size):
    with pytest.raises(ValueError, match="They look like|missing") as raised:
        check_landmarks(landmarks, size)
    assert "\n" not in str(raised.value) and "expected" in str(raised.value)
    return str(raised.value)


@settings(max_examples=400, deadline=None)
@given(st.one_of(people(yaw=60), people(yaw=90, tilt=30)))
def test_faces_of_all_sizes_places_tilts_and_profiles_pass(person):
    size, landmarks = person
    assert check_landmarks(landmarks, size).mean() > 0.5


@settings(max_examples=200, deadline=None)
@given(people(yaw=60))
def test_mirrored_selfies_pass(person):
    size, landmarks = person
    mirrored = ([size.width - 1, 0] + landmarks * [-1, 1])[:, [1, 0, 2, 3]]
    assert check_landmarks(mirrored, size).mean() > 0.5


@settings(max_examples=200, deadline=None)
@given(people(yaw=40), st.integers(0, 4), st.integers(0, 10**6))
def test_a_few_bad_frames_among_good_ones_pass_and_count_as_missing(person, count, seed):
    size, landmarks = person
    random = np.random.default_rng(seed)
    bad = random.permutation(len(landmarks))[:count]
    landmarks = landmarks.copy()
    for number, frame in enumerate(bad):
        if number % 3 == 0:
            landmarks[frame] = np.nan
        elif number % 3 == 1:
            landmarks[frame] /= [size.width, size.height]
        else:
            landmarks[frame] = landmarks[frame, [1, 0, 2, 3]]
    good = check_landmarks(landmarks, size)
    assert good.sum() >= 6 and not good[bad].any()


@settings(max_examples=200, deadline=None)
@given(people())
def test_fractions_are_named_and_how_to_make_pixels_of_them(person):
    size, landmarks = person
    said = complaint(landmarks / [size.width, size.height], size)
    assert f"fractions of the picture: multiply by {size}" in said
    middle = [size.width / 2, size.height / 2]
    assert "fractions" in complaint(landmarks / middle - 1, size)


@settings(max_examples=200, deadline=None)
@given(people(yaw=40, pitch=15, tilt=30))
def test_exchanged_eyes_are_named(person):
    size, landmarks = person
    assert "eyes exchanged" in complaint(landmarks[:, [1, 0, 2, 3]], size)
    mirrored = [size.width - 1, 0] + landmarks * [-1, 1]
    assert "mirrored" in complaint(mirrored, size)


@settings(max_examples=200, deadline=None)
@given(people(yaw=30, pitch=15, tilt=10))
def test_exchanged_axes_are_named(person):
    size, landmarks = person
    assert "x and y exchanged" in complaint(landmarks[..., ::-1], size)
    fractions = landmarks[..., ::-1] / [size.height, size.width]
    assert "fractions of the picture, of points with x and y" in complaint(fractions, size)


@settings(max_examples=200, deadline=None)
@given(people(yaw=40, pitch=15, tilt=25))
def test_pictures_upside_down_and_y_from_below_are_named(person):
    size, landmarks = person
    corner = np.array([size.width - 1, size.height - 1])
    assert "upside down" in complaint(corner - landmarks, size)
    assert "y counted from below" in complaint([0, corner[1]] + landmarks * [1, -1], size)


@settings(max_examples=200, deadline=None)
@given(people(yaw=30, pitch=15, tilt=10))
def test_turned_pictures_are_named(person):
    size, landmarks = person
    clockwise = landmarks[..., ::-1] * [-1, 1] + [size.height - 1, 0]
    counter = landmarks[..., ::-1] * [1, -1] + [0, size.width - 1]
    assert "turned by a quarter" in complaint(clockwise, size)
    assert "turned by a quarter" in complaint(counter, size)


@settings(max_examples=100, deadline=None)
@given(people(yaw=40), st.floats(4, 40))
def test_pixels_of_a_larger_picture_are_named(person, factor):
    size, landmarks = person
    inside = (landmarks[:, 3] * factor <= [size.width - 1, size.height - 1]).all(axis=1)
    assume(not inside.any())  # else it can be a face that goes out of this picture
    assert "larger picture" in complaint(landmarks * factor, size)


def test_a_larger_picture_whose_nose_lies_in_this_one_by_chance_is_named():
    face = np.array([[[361, 107], [577, 103], [358, 261], [451, 397]]])  # looks to the left
    assert "larger picture" in complaint(face, Size(360, 288))


@given(people(yaw=40), st.sampled_from([np.nan, np.inf, 7.0]))
def test_landmarks_without_a_face_are_refused(person, value):
    size, landmarks = person
    nothing = reduce_landmarks(np.full_like(landmarks, value))
    assert "missing" in complaint(nothing, size)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), SIZES)
def test_random_points_are_no_face(seed, size):
    points = np.random.default_rng(seed).uniform(0, 1, (40, 4, 2)) * size
    complaint(points, Size(*size))


def test_python_arrays_are_checked_where_the_picture_is_known(show):
    picture = show([np.zeros((288, 360), np.uint8)])
    face = HEAD[:, :2] * 0.5 + [160, 180]
    assert use_landmarks(face[None]).push(picture)[0].mask.all()
    with pytest.raises(ValueError, match="multiply by 360 x 288"):
        use_landmarks(face[None] / [360, 288]).push(picture)
    with pytest.raises(ValueError, match="eyes exchanged"):
        use_landmarks(face[None][:, [1, 0, 2, 3]]).push(picture)


def test_slips_among_good_frames_are_bridged_and_not_cropped(show):
    picture = np.random.default_rng(0).integers(0, 255, (288, 360), np.uint8)
    landmarks = np.repeat((HEAD[:, :2] * 0.5 + [160, 180])[None], 30, axis=0)
    expected = use_landmarks(landmarks).push(show([picture] * 30))[0]
    landmarks[12] /= [360, 288]
    landmarks[20] = landmarks[20, [1, 0, 2, 3]]
    found = use_landmarks(landmarks).push(show([picture] * 30))[0]
    np.testing.assert_array_equal(found.crops, expected.crops)


@given(st.floats(4, 90), st.floats(4, 90), st.floats(0, 1), st.floats(0, 1))
def test_boxes_in_the_picture_pass(width, height, x, y):
    check_box((x * (360 - width), y * (288 - height), width, height), Size(360, 288))


@pytest.mark.parametrize(
    ("box", "like"),
    [
        ((0.3, 0.5, 0.2, 0.1), "fractions of the picture: multiply by 360 x 288"),
        ((220, 140, 340, 280), "two corners: give x, y, width, height, as in 220,140,120,140"),
        ((500, 50, 40, 40), "larger picture"),
        ((-90, 50, 40, 40), "in pixels of the video"),
    ],
)
def test_boxes_that_are_none_are_told_what_they_look_like(show, box, like):
    picture = show([np.zeros((288, 360), np.uint8)])
    with pytest.raises(ValueError, match=re.escape(like)):
        use_box(box).push(picture)


@pytest.fixture
def seen(draw, show, square_detector):
    """Pictures of one face that goes to the right, and its landmarks."""
    corners = [(60 + index, 80) for index in range(20)]
    pictures = show([draw((x, y, 70), scene=3) for x, y in corners])
    places = square_detector.places[:4] * 70
    return pictures, np.stack([places + corner for corner in corners])


def test_landmarks_on_a_face_pass_and_a_little_beside_it_too(seen, square_detector):
    pictures, landmarks = seen
    for points in (landmarks, landmarks + 8, landmarks * 1.05):
        assert use_landmarks(points, square_detector).push(pictures)[0].mask.all()


@pytest.mark.parametrize(
    ("factors", "like"),
    [
        ((0.5, 0.5), "pixels of a picture of about 160 x 120: scale them to 320 x 240"),
        ((1 / 3.2, 1 / 2.4), "percents of the picture"),
        ((0.25, 1.0), "pixels of a picture of about 80 x 240"),
    ],
)
def test_landmarks_of_another_size_are_told_by_the_faces_in_the_picture(
    seen, square_detector, factors, like
):
    pictures, landmarks = seen
    with pytest.raises(ValueError, match=like):
        use_landmarks(landmarks * factors, square_detector).push(pictures)


def test_message_counts_in_pixels_of_the_video_where_pictures_are_smaller(seen, square_detector):
    pictures, landmarks = seen
    source = use_landmarks(landmarks, square_detector, scale=3.0)
    with pytest.raises(ValueError, match="about 320 x 240: scale them to 960 x 720"):
        source.push(pictures)
    assert use_landmarks(landmarks * 3, square_detector, scale=3.0).push(pictures)[0].mask.all()


def test_face_that_the_detector_does_not_see_passes_beside_one_that_it_sees(seen, square_detector):
    pictures, landmarks = seen
    elsewhere = landmarks[::-1] * 0.8 + [130, -40]
    assert use_landmarks(elsewhere, square_detector).push(pictures)[0].mask.all()


def test_rows_of_another_rate_are_refused_at_the_end(seen, square_detector):
    pictures, landmarks = seen
    source = use_landmarks(np.repeat(landmarks, 2, axis=0), square_detector)
    source.push(pictures)
    with pytest.raises(ValueError, match="landmarks for 40 frames, but the video has 20"):
        source.flush()
    source = use_landmarks(landmarks, square_detector)
    assert source.push(pictures[:-2]) and source.flush() == []


def test_mouth_video_of_whole_faces_is_refused(seen, square_detector):
    with pytest.raises(ValueError, match="whole faces, about 70 pixels wide in pictures of 320"):
        use_mouth_video(square_detector).push(seen[0])


def test_real_faces_are_told_from_their_mouths(show, detector, read_clip, demo_clip):
    pictures, sound = read_clip(demo_clip)
    with pytest.raises(ValueError, match="show whole faces"):
        use_mouth_video(detector).push(pictures)
    finder = FaceFinder(detector)
    chunks = finder.push(pictures, sound) + finder.flush()
    mouths = show([np.zeros((96, 96), np.uint8), *chunks[0].crops])
    found = use_mouth_video(detector).push(mouths)[0]
    assert found.mask.tolist() == [False] + [True] * (len(mouths) - 1)
    np.testing.assert_array_equal(found.crops[1:], chunks[0].crops)
