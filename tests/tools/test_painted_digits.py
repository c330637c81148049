import numpy as np
import pytest
import torch

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.mixtures.blending import BlendOptions
from data_prep.mixtures.known import write_known
from data_prep.mixtures.manifest import MANIFEST, read_mixtures, write_mixtures
from data_prep.mixtures.spoken_digits import part_voices, speak_digits
from modalities.audio_text.small_audio_text import build_small_audio_text
from tasks.audio_to_image.painting.manifest import SoundedPicture, write_examples
from tools.painted_digits import (
    GAP,
    Heard,
    draw_sheet,
    embed_known,
    measure_overlap,
    name_digits,
    read_heard,
    score_digits,
)

TEXTS = [str(number) for number in range(10)]


def test_two_digits_count_as_a_set_and_in_their_order():
    said = [(3,), (4,), (1, 2), (1, 2), (1, 2), (1, 2)]
    read = [(3,), (4, 5), (1, 2), (2, 1), (1,), (7, 8)]
    found = score_digits(said, read)
    assert (found.one, found.both, found.ordered, found.some) == (50, 50, 25, 75)


@pytest.fixture(scope="module")
def mixtures(spoken, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixtures")
    voices, options = (
        part_voices(find_fsdd_sounds(spoken), "ann"),
        BlendOptions(1, 2, (-3, -1), 0.5),
    )
    rows = [
        write_known(folder, str(n), fold, speak_digits(voices[fold], 1 + n % 2, options, n))
        for n, fold in enumerate(("train", "test", "test", "test"))
    ]
    write_mixtures(folder / MANIFEST, rows)
    return folder


def test_what_was_heard_is_found_by_id_whatever_the_order(mixtures, tmp_path):
    rows = list(read_mixtures(mixtures / MANIFEST))
    embeddings = torch.arange(4.0)[:, None, None].expand(4, 2, 3)
    order = [2, 0, 3, 1]
    examples = [SoundedPicture(rows[n].id, rows[n].picture, rows[n].fold) for n in order]
    write_examples(tmp_path, examples, embeddings[order])
    heard = read_heard(mixtures / MANIFEST, tmp_path, "test")
    assert [row.id for row in heard.rows] == ["1", "2", "3"]
    assert heard.embeddings[:, 0, 0].tolist() == [1, 2, 3]
    assert [len(one) for one in heard.numbers] == [2, 1, 2]
    write_examples(tmp_path, examples[1:], embeddings[order][1:])
    with pytest.raises(ValueError, match="does not know 2"):
        read_heard(mixtures / MANIFEST, tmp_path, "test")


def test_names_are_the_nearest_texts_of_each_source_or_of_the_whole():
    model = build_small_audio_text(TEXTS, dim=16, widths=(8,))
    table = model.embed_text(TEXTS)
    rows = [Row(("3",)), Row(("5", "7"))]
    apart = torch.stack([torch.stack([table[3], table[9]]), torch.stack([table[5], table[7]])])
    assert name_digits(Heard(rows, apart), model, True) == [(3,), (5, 7)]
    whole = torch.stack([table[3], 2 * table[7] + table[5]])[:, None]
    assert name_digits(Heard(rows, whole), model, False) == [(3,), (7, 5)]


class Row:
    def __init__(self, labels):
        self.labels = labels


def test_true_sources_are_embedded_and_nothing_where_there_is_none(mixtures):
    rows = list(read_mixtures(mixtures / MANIFEST))
    model = build_small_audio_text(TEXTS, dim=16, widths=(8,), clip_s=0.5)
    known = embed_known(Heard(rows, torch.ones(4, 2, 16)), model)
    lengths = known.embeddings.norm(dim=-1)
    assert torch.allclose(lengths, torch.tensor([[1.0, 0], [1, 1], [1, 0], [1, 1]]), atol=1e-4)
    assert 0 <= measure_overlap(known) <= 100


def test_a_sheet_frames_what_is_right_in_green_and_what_is_not_in_red():
    truth = [np.zeros((16, 32, 3), np.uint8)] * 2
    sheet = draw_sheet(truth, [(torch.ones(2, 16, 32, 3), [True, False])])
    tile = sheet.shape[0] // 2, sheet.shape[1] // 2
    green, red = sheet[tile[0] + GAP, GAP], sheet[tile[0] + GAP, tile[1] + GAP]
    assert green.argmax() == 1 and red.argmax() == 0
    assert sheet[tile[0] * 3 // 2, tile[1] // 2].min() == 255
