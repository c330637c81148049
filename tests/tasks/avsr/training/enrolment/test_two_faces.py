"""Two faces in a talker's clips are told, one face never is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks.avsr.training.enrolment.two_faces import LEAST_OF_ONE, find_other_face


def draw_faces(pieces: int, seed: int, dim: int = 64) -> torch.Tensor:
    return torch.randn(pieces, dim, generator=torch.Generator().manual_seed(seed))


@given(pieces=st.integers(0, 40), seed=st.integers(0, 10_000))
def test_pieces_that_scatter_are_of_one(pieces, seed):
    assert find_other_face(draw_faces(pieces, seed)) is None


@given(
    first=st.integers(LEAST_OF_ONE, 20),
    second=st.integers(LEAST_OF_ONE, 20),
    seed=st.integers(0, 10_000),
)
def test_the_smaller_of_two_groups_is_found(first, second, seed):
    faces = draw_faces(first + second, seed)
    faces[first:] += 3.0
    found = find_other_face(faces)
    if first + second < 8:
        assert found is None
        return
    assert found is not None
    of_second = torch.arange(first + second) >= first
    expected = of_second if second < first else ~of_second
    assert torch.equal(found, expected) or (first == second and torch.equal(found, ~expected))


@pytest.mark.parametrize("other", [1, 2])
def test_one_or_two_strange_pieces_are_no_second_face(other):
    faces = draw_faces(20, 1)
    faces[:other] += 5.0
    assert find_other_face(faces) is None


def test_pictures_that_are_all_alike_are_of_one():
    assert find_other_face(torch.ones(12, 4)) is None
