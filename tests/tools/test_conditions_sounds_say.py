"""Studies of edges with a sound, and of loudness and pitch, without their trainings."""

import numpy as np
import pytest
import torch

import tools.conditions_attributes_page as page
import tools.conditions_heard_digits as heard
import tools.conditions_structure as structure
from data_prep.media.wav import encode_wav
from modalities.audio.attribute_scale import Bounds


def test_half_of_the_edges_is_told_and_nothing_else_is_changed():
    edges = torch.ones(200, 1, 16, 16)
    seen = structure.hide_half(edges, torch.Generator().manual_seed(0))
    assert (seen.sum((1, 2, 3)) == 128).all()
    assert len({tuple(one.flatten().tolist()) for one in seen}) == 4


def test_the_exact_f1_is_that_of_the_edges_alone():
    picture = -torch.ones(2, 1, 16, 16)
    picture[:, :, 4:12, 4:12] = 1
    edges = structure.find_edges(picture)
    assert structure.exact_f1(picture, edges) == pytest.approx(100)
    assert structure.exact_f1(picture, torch.zeros_like(edges)) == 0
    half = edges.clone()
    half[1] = 0
    assert structure.exact_f1(picture, half) == pytest.approx(50)
    assert structure.exact_f1(picture.roll(1, 3), edges) < 60


def test_sounds_are_told_to_methods_that_attend_to_them():
    edges, tokens = torch.zeros(2, 1, 16, 16), torch.zeros(2, 16, 48)
    kinds = {
        method: [one.kind for one in structure.conditions(method, edges, tokens)]
        for method in structure.METHODS
    }
    assert kinds["T2I-Adapter"] == kinds["T2I-Adapter, larger"] == ["map"]
    assert all(kinds[method] == ["map", "tokens"] for method in structure.SOUNDED)


def test_a_sound_is_as_loud_and_as_high_as_its_picture_asks(tmp_path, monkeypatch):
    times = np.arange(8000) / 16000
    rows = []
    for hertz in (100, 150, 200, 250):
        path = tmp_path / f"{hertz}.wav"
        path.write_bytes(encode_wav(0.1 * np.sin(2 * np.pi * hertz * times).astype(np.float32)))
        rows.append((float(hertz), str(path)))
    monkeypatch.setattr(heard, "recordings", lambda fold: {3: rows})
    for loud, high, hertz in ((0.0, 0.1, 100), (0.5, 0.6, 200), (1.0, 1.0, 250)):
        loudness, pitch = heard._hear(3, [loud, high], "train", True)
        assert loudness == pytest.approx(heard.LOUDNESS.value(loud), abs=0.01)
        assert pitch == pytest.approx(hertz, rel=0.01)


def test_attributes_are_told_between_the_bounds_of_the_training():
    bounds = (Bounds("loudness", "LUFS", -40, -20), Bounds("pitch", "Hz", 100, 400, ratio=True))
    told = torch.tensor([[-40.0, 200.0], [-10.0, 50.0]])
    assert heard.scale(told, bounds).tolist() == [[0, pytest.approx(0.5)], [1, 0]]


@pytest.mark.parametrize("module, tell", [(page, "tell_attributes"), (structure, "tell_structure")])
def test_nothing_measured_is_said(module, tell, monkeypatch):
    def lacking(name):
        raise FileNotFoundError(name)

    monkeypatch.setattr(module, "read_study", lacking)
    with pytest.raises(FileNotFoundError):
        getattr(module, tell)()


def test_the_pages_tell_each_aim_with_what_was_reached(monkeypatch):
    one = {"spearman": [0.95, 0.5], "held": [0.4, 0.6], "seen": [0.3, 0.5], "range": [1, 1]}
    one |= {"others": [0.1, 0.2], "right": 98.0, "weights": 12345}
    settings = {"taught": 300, "tested": 200, "held": [0.4, 0.6], "steps": 400, "judge": 96.6}
    chosen = {"autoencoder": {"divergence": 0.1, "strength": 2.0}, "MLP": {"strength": 1.5}}
    settings |= {"chosen": chosen, "real": [1.0, 0.95], "ear": 98.0}
    found = {"autoencoder": [one] * 3, "MLP": [{**one, "held": [0.3, 0.5]}] * 3}
    monkeypatch.setattr(page, "read_study", lambda name: (settings, found))
    monkeypatch.setattr(page, "show_sheet", lambda name, about: "")
    told = "\n".join(page.tell_attributes())
    assert "a correlation of 0.95 (aim: above 0.9).\n" in told
    assert "a correlation of 0.50 (aim: above 0.9): MISSED" in told
    assert "off by 0.50, the MLP by 0.40 (aim: less): MISSED" in told
    right = {"T2I-Adapter": 60.0, "T2I-Adapter, larger": 65.0, "Nexus Prime": 90.0}
    right |= {"Nexus Slim": 64.0, "Nexus Prime, added": 91.0, "nothing told": 9.0}
    found = {
        method: [{"right": value, "edges": value, "exact": value, "swapped": 5.0, "weights": 1000}]
        for method, value in right.items()
    }
    monkeypatch.setattr(structure, "read_study", lambda name: (settings, found))
    monkeypatch.setattr(structure, "show_sheet", lambda name, about: "")
    told = "\n".join(structure.tell_structure())
    assert told.count("MISSED") == 3 and "Nexus Slim: 64.0 % digits right" in told
