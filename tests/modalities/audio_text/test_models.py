"""Every model of sound and text keeps the contract: unit vectors, gradients, any length."""

import numpy as np
import pytest
import torch
from transformers import ClapFeatureExtractor, RobertaTokenizer
from transformers.models.roberta.tokenization_roberta import pre_tokenizers

from modalities.audio.audio_clips import MOST_CLIPS, embed_clips, find_starts, repeat_whole
from modalities.audio_text import models as audio_text
from modalities.audio_text.clap_audio_text import ClapAudioText, random_clap_audio_text
from modalities.audio_text.models import AudioText, load_audio_text, save_audio_text
from modalities.audio_text.small_audio_text import SmallAudioText, build_small_audio_text

AUDIO = dict(patch_embeds_hidden_size=8, depths=(1, 2), num_attention_heads=(1, 2), hidden_size=16)
TEXT = dict(
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    vocab_size=300,
)
NAMES = ["bell", "siren", "noise"]
KINDS = ["clap", "small"]


def letters() -> RobertaTokenizer:
    """A RoBERTa tokenizer without merges: each byte is a word."""
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = [*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    return RobertaTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[])


def build(kind: str) -> AudioText:
    if kind == "small":
        return build_small_audio_text(NAMES, dim=12, clip_s=0.5, mel_bins=16, widths=(8, 16))
    clap = random_clap_audio_text(tokenizer=letters(), audio=AUDIO, text=TEXT, dim=12)
    with torch.no_grad():
        for n, parameter in enumerate(clap.model.parameters()):  # no bias may go unnoticed
            parameter.normal_(std=0.2, generator=torch.Generator().manual_seed(n))
    return clap


@pytest.fixture(scope="module", params=KINDS)
def model(request) -> AudioText:
    return build(request.param)


def sound(model: AudioText, seconds: float, rows: int = 1, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(rows, max(1, round(seconds * model.rate_hz)), generator=random)


def assert_units(found: torch.Tensor, rows: int, dim: int) -> None:
    assert found.shape == (rows, dim)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(rows))


def test_sound_of_any_length_becomes_unit_vectors(model):
    assert isinstance(model, AudioText)
    for seconds in (0, 0.3, 1.7, 25):
        assert_units(model.embed_audio(sound(model, seconds, rows=2)), 2, model.dim)


def test_gradients_reach_the_sound_and_nothing_else(model):
    waves = sound(model, 1, rows=3).requires_grad_()
    target = model.embed_audio(sound(model, 1, rows=3, seed=1)).detach()
    (model.embed_audio(waves) * target).sum().backward()
    assert waves.grad is not None and torch.isfinite(waves.grad).all()
    assert (waves.grad.abs().sum(-1) > 0).all()
    assert all(p.grad is None for p in model.parameters())


def test_silence_has_a_vector_and_no_endless_gradient(model):
    waves = torch.zeros(2, model.rate_hz).requires_grad_()
    found = model.embed_audio(waves)
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(waves.grad).all()


def test_a_row_does_not_know_its_batch(model):
    waves = sound(model, 2, rows=MOST_CLIPS + 1)
    whole = model.embed_audio(waves)
    for row in (0, MOST_CLIPS):
        alone = model.embed_audio(waves[row : row + 1])
        torch.testing.assert_close(whole[row : row + 1], alone, atol=1e-5, rtol=0)


def test_short_sound_is_that_sound_repeated(model):
    waves = sound(model, 0.2)
    twice = model.embed_audio(waves.repeat(1, 2))
    torch.testing.assert_close(model.embed_audio(waves), twice, atol=1e-5, rtol=0)


def test_training_mode_changes_nothing(model):
    waves = sound(model, 1)
    before = model.embed_audio(waves)
    model.train()
    torch.testing.assert_close(model.embed_audio(waves), before, atol=0, rtol=0)


def test_texts_become_unit_vectors_each_its_own(model):
    found = model.embed_text(NAMES)
    assert_units(found, 3, model.dim)
    assert not found.requires_grad
    assert torch.pdist(found).min() > 1e-3
    torch.testing.assert_close(model.embed_text(NAMES[1:2]), found[1:2], atol=1e-5, rtol=0)


def test_what_is_no_sound_or_text_is_told(model):
    for waves in (torch.zeros(10), torch.zeros(1, 0), torch.zeros(0, 9), torch.zeros(1, 9).int()):
        with pytest.raises(ValueError, match="expected floats, .*samples"):
            model.embed_audio(waves)
    for texts in ([], "bell"):
        with pytest.raises(ValueError, match="expected a list of"):
            model.embed_text(texts)


def test_saved_and_loaded_it_embeds_the_same(model, tmp_path):
    save_audio_text(model, tmp_path)
    loaded = load_audio_text(tmp_path)
    assert type(loaded) is type(model) and loaded.name == str(tmp_path)
    assert (loaded.rate_hz, loaded.dim) == (model.rate_hz, model.dim)
    waves = sound(model, 1.2, rows=2)
    for one, other in (
        (loaded.embed_audio(waves), model.embed_audio(waves)),
        (loaded.embed_text(NAMES), model.embed_text(NAMES)),
    ):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=0)
    assert load_audio_text(tmp_path).identity == loaded.identity


def test_identity_follows_the_weights():
    first, again = build("small"), build("small")
    other = build_small_audio_text(NAMES, 1, dim=12, clip_s=0.5, mel_bins=16, widths=(8, 16))
    renamed = build_small_audio_text(
        ["bell", "siren", "wind"], dim=12, clip_s=0.5, mel_bins=16, widths=(8, 16)
    )
    assert first.identity == again.identity
    assert len({first.identity, other.identity, renamed.identity}) == 3


def test_claps_embedding_is_that_of_transformers():
    clap = build("clap")
    assert isinstance(clap, ClapAudioText)
    clip = sound(clap, 3)
    extractor = ClapFeatureExtractor(
        frequency_min=50, frequency_max=14_000, truncation="rand_trunc", feature_size=64
    )
    inputs = extractor(clip[0].numpy(), sampling_rate=48_000, return_tensors="pt")
    tokens = clap.tokenizer(NAMES, padding=True, return_tensors="pt")
    with torch.no_grad():
        heard = clap.model.get_audio_features(inputs.input_features).pooler_output
        read = clap.model.get_text_features(**tokens).pooler_output
    torch.testing.assert_close(clap.embed_audio(clip), heard, atol=1e-5, rtol=0)
    torch.testing.assert_close(clap.embed_text(NAMES), read, atol=1e-5, rtol=0)


def test_a_long_text_is_cut_where_clap_reads_no_further():
    clap = build("clap")
    found = clap.embed_text(["a" * 75 + "b" * 40, "a" * 75 + "c"])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=0)


def test_without_a_tokenizer_the_published_one_is_asked_for(monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    clap = random_clap_audio_text(audio=AUDIO, text=TEXT, dim=12)
    clap.embed_audio(sound(clap, 0.1))
    with pytest.raises(ValueError, match="no network.*vocab.json and merges.txt of its tokenizer"):
        clap.embed_text(["bell"])


def test_fusion_is_refused():
    with pytest.raises(ValueError, match="enable_fusion on"):
        random_clap_audio_text(
            audio={**AUDIO, "enable_fusion": True, "fusion_type": "aff_2d"}, text=TEXT
        )


def test_a_prompt_and_capitals_do_not_change_a_text():
    small = build("small")
    said = small.embed_text(["The sound of  Bell", "bell."])
    assert torch.equal(said[0], said[1])
    with pytest.raises(ValueError, match="does not know the text 'sirens'.*Did you mean 'siren'"):
        small.embed_text(["sirens"])


def test_the_texts_of_a_small_one_may_have_vectors_of_their_own():
    vectors = {"bell": torch.tensor([3.0, 4.0]), "wind": torch.tensor([1.0, 0.0])}
    small = build_small_audio_text(vectors, widths=(8,), mel_bins=8)
    assert small.dim == 2
    torch.testing.assert_close(small.embed_text(["bell"]), torch.tensor([[0.6, 0.8]]))
    with pytest.raises(ValueError, match=r"shape \[2, 3\]; expected \[2, 2\]"):
        SmallAudioText(small.options, torch.zeros(2, 3))


def test_a_small_one_hears_the_same_at_another_level():
    small = build("small")
    waves = sound(small, 0.5)
    found = small.embed_audio(torch.cat([waves, 0.1 * waves]))
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=0)


def test_a_small_one_learns_to_tell_two_sounds_apart():
    small = build("small")
    time = torch.arange(8000) / small.rate_hz
    waves = torch.stack([torch.sin(6.28 * hz * time) for hz in (400, 3000)])
    wanted = small.embed_text(["bell", "siren"])
    optimiser = torch.optim.Adam(small.network.requires_grad_(True).parameters(), 3e-3)
    for _ in range(30):
        loss = -(small.embed_audio(waves) * wanted).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (small.embed_audio(waves) * wanted).sum(-1).min() > 0.9


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (dict(texts=[]), "texts is empty"),
        (dict(texts=["bell", "The sound of Bell"]), "'bell' twice"),
        (dict(texts=["bell"], widths=(8, 12)), "multiples of 8"),
        (dict(texts=["bell"], mel_bins=30), "bands that all but the first can halve"),
        (dict(texts=["bell"], clip_s=0.01), "clip_s 0.01; expected"),
    ],
)
def test_sizes_that_do_not_fit_are_told(sizes, message):
    with pytest.raises(ValueError, match=message):
        build_small_audio_text(sizes.pop("texts"), **sizes)


def test_names_that_lead_nowhere_are_one_line(tmp_path):
    (tmp_path / "audio_text.safetensors").write_bytes(b"nothing")
    (tmp_path / "empty.pt").write_bytes(b"")
    for name, message in {
        tmp_path: "holds no SmallAudioText",
        tmp_path / "empty.pt": "is no checkpoint of LAION's CLAP",
        tmp_path / "none.pt": "There is no .*none.pt; expected a checkpoint of LAION",
        "clapp": "No model of sound and text 'clapp'.*clap-htsat-unfused",
    }.items():
        with pytest.raises(ValueError, match=message) as error:
            load_audio_text(name)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("samples", [1, 9, 10, 11, 20, 21, 95])
def test_clips_cover_all_of_a_sound(samples):
    starts = find_starts(samples, 10)
    heard = {at + n for at in starts for n in range(10)}
    assert set(range(samples)) <= heard and len(starts) == -(-samples // 10)
    assert samples < 10 or max(heard) == samples - 1


def test_repeating_leaves_silence_where_no_whole_one_fits():
    waves = torch.tensor([[1.0, 2.0, 3.0]])
    assert repeat_whole(waves, 8).tolist() == [[1, 2, 3, 1, 2, 3, 0, 0]]


def test_few_clips_are_encoded_at_once_however_long_the_sound():
    seen = []

    def embed(clips: torch.Tensor) -> torch.Tensor:
        seen.append(len(clips))
        return clips[:, :4]

    embed_clips(torch.from_numpy(np.random.default_rng(0).normal(size=(3, 1000))), 10, embed)
    assert max(seen) <= MOST_CLIPS and sum(seen) == 300


def test_one_that_comes_along_goes_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setitem(audio_text.SHIPPED, "scenes", tmp_path / "scenes")
    with pytest.raises(ValueError, match="not there yet; in a checkout `make audio-to-image-weig"):
        load_audio_text("scenes")
    save_audio_text(build("small"), tmp_path / "scenes")
    assert load_audio_text("scenes").name == "scenes"


def test_a_path_that_is_not_there_is_told_with_all_names_before_any_library(monkeypatch):
    monkeypatch.setattr("modalities.audio_text.models.load_clap_audio_text", None)
    with pytest.raises(ValueError, match="Known names: scenes, clap-htsat-unfused"):
        load_audio_text("/nowhere/model")
    with pytest.raises(ValueError, match="Did you mean 'scenes'"):
        load_audio_text("scenez")
