"""A model that was made for pictures answers about sounds, through a new embedding."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from data_prep.questions.manifest import Question, write_questions
from tasks.__main__ import run
from tasks.training.loop import train
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.training import VisionLanguageTraining


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Tones in "tones" with a manifest, and a random AST that hears them in "ast"."""
    from modalities.audio.ast import random_ast

    folder = tmp_path_factory.mktemp("heard")
    sizes: dict[str, Any] = dict(hidden_size=32, num_attention_heads=2, intermediate_size=48)
    random_ast(num_hidden_layers=1, **sizes).model.save_pretrained(folder / "ast")
    (folder / "tones").mkdir()
    rows = []
    for number in range(6):
        high, path = number % 2 == 1, folder / f"tones/{number}.wav"
        time = np.arange(16_000 + 800 * number) / 16_000
        path.write_bytes(encode_wav(0.5 * np.sin(2 * np.pi * (3000 if high else 200) * time)))
        fold, answer = "test" if number > 3 else "train", "yes" if high else "no"
        asked = "is it high ?", {answer: 1.0}, (), fold
        rows.append(Question(str(number), "vqa", (str(path),), *asked))
    write_questions(folder / "tones/manifest.jsonl", rows)
    return folder


@pytest.fixture
def config(experiment, sounds):
    return experiment(
        data={"manifests": [str(sounds / "tones")], "validation": 0.25},
        images=f"sound:{sounds / 'ast'}",
        fresh_embedding=True,
        options={"rank": 4, "norms": "none"},
        loop={"steps": 2, "batch": 1, "warmup": 0, "measure_every": 2, "learning_rate": 0.1},
    )


def test_only_the_adapter_and_the_embedding_of_sounds_learn(config, tmp_path):
    task = VisionLanguageTraining(config)
    assert task.tuned.vl.visual_embedding.feature_dim == 32
    before = {name: value.clone() for name, value in task.tuned.state_dict().items()}
    train(task, config.loop, tmp_path, device="cpu", settings=asdict(config))
    after = task.tuned.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert any("visual_embedding" in name for name in changed)
    assert any("all_tasks" in name for name in changed)
    assert all("visual_embedding" in name or "all_tasks" in name for name in changed)


def test_a_sound_is_asked_about_by_command(config, sounds, tmp_path, capsys):
    train(VisionLanguageTraining(config), config.loop, tmp_path, device="cpu")
    assert Answerer.load(tmp_path, "cpu").card.fresh_embedding
    sound = str(sounds / "tones/0.wav")
    assert run(["answer", sound, "is it high ?", "--model", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_embedding_of_pictures_is_refused_for_sounds_with_what_helps(experiment, sounds):
    with pytest.raises(ValueError, match="fresh_embedding: true"):
        VisionLanguageTraining(experiment(images=f"sound:{sounds / 'ast'}"))
