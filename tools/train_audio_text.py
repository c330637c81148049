"""Train a small embedding of sounds: `python -m tools.train_audio_text EXPERIMENT.yaml DST`.

It stands where CLAP stands in the published models, and is read as one: its folder is what
`audio_text` of an experiment of separation names. It learns from the sounds of such an experiment,
alone and mixed as it says, to come near the texts of what is heard, the louder the nearer: so
sources can be named, and ranked by how much of the mixture they are. With --whisper it is a layer
on what a frozen Whisper is about to write, which knows spoken words from more speakers than a small
training has; it knows no other sounds. With --separator every other mixture is taken apart, and
what comes out is heard as that sound of which most is in it: so it learns to hear what a separator
leaves of sounds. A run that was killed goes on where it was.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from modalities.audio_text.models import save_audio_text
from modalities.audio_text.sentence_vectors import embed_sentences
from modalities.audio_text.small_audio_text import SmallAudioText, build_small_audio_text
from modalities.audio_text.whisper_audio_text import WhisperAudioText, build_whisper_audio_text
from tasks.audio_to_image.separation.clips import Clips
from tasks.audio_to_image.separation.config import SeparationConfig
from tasks.audio_to_image.separation.found_clips import find_clips
from tasks.audio_to_image.separation.ranking import FAINT, embed_sounds
from tasks.audio_to_image.separation.separator import Separator
from tasks.cli.progress import progress_bar
from tasks.config import read_config, read_name
from tasks.training.loop import train
from tasks.training.options import PRECISIONS, LoopOptions

TASK = "separation"  # of the experiments whose sounds are learnt
SHARPNESS = 10.0  # of cosines, where they are taken for what is heard
MEASURED = 200  # sounds, and mixtures of two
COLOUR_DB, BANDS = 12.0, 12  # how far bands are turned up or down, and how many there are
HISS_DB = (-50.0, -15.0)  # noise under a mixture, relative to its power
Batch = dict[str, Tensor]
Learnt = SmallAudioText | WhisperAudioText


class AudioTextLearner(nn.Module):
    """The embedding, and how far it is from what is heard at a rate."""

    def __init__(self, audio_text: Learnt, rate_hz: int):
        super().__init__()
        self.audio_text, self.rate_hz = audio_text, rate_hz
        audio_text.network.requires_grad_(True)

    def forward(self, batch: Batch) -> Batch:
        """Return "loss" for "waves" [n, samples] and "amounts" [n, texts], which sum to 1."""
        sounds = embed_sounds(self.audio_text, batch["waves"], self.rate_hz)
        amounts, table = batch["amounts"], self.audio_text.get_buffer("table")
        wanted = nn.functional.normalize(amounts.sqrt() @ table, dim=-1)
        distance = 1 - (sounds * wanted).sum(-1).mean()
        return {"loss": distance + cross_entropy(SHARPNESS * sounds @ table.T, amounts)}


class AudioTextLearning:
    """The task; see `tasks.training.contract.Trainable`.

    Args:
        config: Which sounds, and how they are mixed.
        dim: Features of an embedding.
        widths: Channels of its network.
        sentences: Name or folder of a model of sentences whose vectors texts have, of its own
            length; "" for directions that are far from each other.
        varied: Train on sounds as other microphones would have them, see `colour`, with noise.
        whisper: Name or folder of a Whisper that hears in place of a network of such widths; texts
            have directions then.
        separator: Takes half of the mixtures apart, as they will be heard; None for none.

    Raises:
        FileNotFoundError: Sounds are not there.
        ValueError: They cannot be used, or one has several labels; no such model.
    """

    def __init__(
        self,
        config: SeparationConfig,
        dim: int,
        widths: tuple[int, ...],
        sentences: str = "",
        varied: bool = False,
        whisper: str = "",
        separator: Separator | None = None,
    ):
        self.varied, self.separator = varied, separator
        options, mixed = config.network, replace(config.mixtures, clips=1)
        self.trained, self.measured = (
            Clips(clips, mixtures, options.rate_hz, options.samples)
            for clips, mixtures in zip(
                find_clips(config.data), (mixed, replace(mixed, speed=1.0)), strict=True
            )
        )
        for clips in (self.trained, self.measured):
            clips.check(config.data)
        if self.trained.most_labels > 1:
            raise ValueError(
                "The experiment has sounds with several labels; expected one each, so that it is "
                "known what is how loud."
            )
        self.most, self.size = mixed.most, len(self.trained)
        self.trained.check_apart(self.most)
        self.labels = self.trained.labels
        seed, clip_s, self.rate_hz = config.loop.seed, options.window_s, options.rate_hz
        model: Learnt
        if whisper:
            model = build_whisper_audio_text(
                self.labels, seed, dim=dim, clip_s=clip_s, whisper=whisper
            )
        else:
            texts = embed_sentences(self.labels, sentences) if sentences else self.labels
            sizes = dict(dim=dim, clip_s=clip_s, rate_hz=self.rate_hz)
            model = build_small_audio_text(texts, seed, **sizes, widths=widths)
        self.module: nn.Module = AudioTextLearner(model, self.rate_hz)

    def load(self, index: int, random: np.random.Generator) -> Batch:
        """Return a sound, or a mixture of several, and how much of its energy has which label."""
        return self._mix(self.trained, int(random.integers(1, self.most + 1)), random, index)

    def collate(self, examples: Sequence[Batch]) -> Batch:
        """Stack what `load` returned."""
        return {name: torch.stack([e[name] for e in examples]) for name in examples[0]}

    def measure(self) -> dict[str, float]:
        """Percent of held-out sounds that are nearest to their text; of two, to the louder's."""
        return {
            name: 100 * float(np.mean([self._tell(count, n) for n in range(MEASURED)]))
            for name, count in (("named", 1), ("louder_named", 2))
        }

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write it, in float16."""
        save_audio_text(self._model, folder)

    @property
    def _model(self) -> Learnt:
        model = self.module.get_submodule("audio_text")
        assert isinstance(model, SmallAudioText | WhisperAudioText)
        return model

    @torch.no_grad()
    def _tell(self, count: int, number: int) -> bool:
        example = self._mix(self.measured, count, np.random.default_rng((count, number)))
        table = self._model.get_buffer("table")
        found = embed_sounds(self._model, example["waves"][None].to(table.device), self.rate_hz)
        found = found @ table.T
        return int(found.argmax()) == int(example["amounts"].argmax())

    def _mix(
        self, clips: Clips, count: int, random: np.random.Generator, first: int | None = None
    ) -> Batch:
        sounds, labels = clips.draw(count, random, first)
        varied = self.varied and clips is self.trained
        if varied:
            sounds = np.stack([colour(one, random) for one in sounds])
        wave = sounds.sum(0)
        if varied:
            level = float(np.sqrt(np.mean(np.square(wave))))
            level *= 10 ** (random.uniform(*HISS_DB) / 20)
            hiss = random.standard_normal(len(wave), dtype=np.float32)
            wave += level * colour(hiss, random)
        energies = np.square(sounds, dtype=np.float64).sum(1)
        if self.separator and clips is self.trained and count > 1 and random.random() < 0.5:
            wave, energies = take_one(wave, sounds, self.separator, random)
        amounts = np.zeros(len(self.labels), np.float32)
        for label, energy in zip(labels, energies, strict=True):
            amounts[self.labels.index(label)] += energy / energies.sum()
        return {"waves": torch.from_numpy(wave), "amounts": torch.from_numpy(amounts)}


@torch.inference_mode()
def take_one(
    mixture: np.ndarray, sounds: np.ndarray, separator: Separator, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Take a mixture apart, and draw one of the sources that are not faint.

    Args:
        mixture: float32 [samples], at the separator's rate and no longer than its window.
        sounds: What is in it, float32 [sounds, samples].
        separator: Takes it apart.
        random: Draws.

    Returns:
        The source, float32 [samples]; how much of each sound is in it, an energy, [sounds].
    """
    network, wave = separator.network, torch.from_numpy(mixture).to(separator.device)
    sources = network(wave[None])[0].cpu().numpy().astype(np.float32)
    shares = np.square(sources, dtype=np.float64).sum(1)
    source = sources[random.choice(np.flatnonzero(shares >= FAINT * shares.sum()))]
    alike = sounds.astype(np.float64) @ source
    own = np.square(sounds, dtype=np.float64).sum(1)
    return source, np.square(alike) / np.maximum(own, np.finfo(np.float64).tiny)


def colour(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a sound whose bands are turned up or down at random, float32 [samples].

    Few speakers have few microphones, and what is learnt of these does not hold for others.

    Args:
        sound: float32 [samples].
        random: Draws the gain of each band; between their middles it changes evenly.
    """
    spectrum = np.fft.rfft(sound)
    places = np.linspace(0, BANDS - 1, len(spectrum))
    gains_db = np.interp(places, range(BANDS), random.uniform(-COLOUR_DB, COLOUR_DB, BANDS))
    return np.fft.irfft(spectrum * 10 ** (gains_db / 20), len(sound)).astype(np.float32)


def read_separation(path: Path, changes: Sequence[str]) -> SeparationConfig:
    """Read an experiment of separation.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is of another task, or sets what is not there or cannot be.
    """
    if (task := read_name(path, "task", (TASK,))) != TASK:
        raise ValueError(
            f"{path} is an experiment of {task}; expected one of {TASK}, whose sounds are learnt."
        )
    return read_config(SeparationConfig, path, changes)


def load_taker(name: str, config: SeparationConfig, device: str) -> Separator:
    """Load what takes mixtures apart.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or of another rate than the experiment's mixtures.
    """
    separator = Separator.load(name, device, audio_text="")
    if separator.rate_hz != config.network.rate_hz:
        raise ValueError(
            f"{name} takes sound of {separator.rate_hz} Hz apart; expected "
            f"{config.network.rate_hz}, as the experiment mixes it."
        )
    return separator


def main() -> None:
    """Train, and say where the embedding is."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_audio_text", description=__doc__)
    parser.add_argument("experiment", type=Path, metavar="EXPERIMENT.yaml")
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("changes", nargs="*", metavar="CHANGES", help="as data.digits.folder=DIR")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--sentences", default="", metavar="NAME", help="as all-minilm-l6-v2")
    parser.add_argument("--varied", action="store_true", help="other microphones, and noise")
    parser.add_argument("--widths", type=int, nargs="+", default=(16, 32, 48, 64))
    parser.add_argument("--whisper", default="", metavar="NAME", help="as whisper-tiny.en")
    parser.add_argument("--separator", metavar="DIR", help="whose sources are heard, too")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    try:
        loop = LoopOptions(steps=given.steps, batch=32, learning_rate=2e-3, warmup=100)
        loop = replace(loop, measure_every=max(1, given.steps // 3), precision=given.precision)
        config = read_separation(given.experiment, given.changes)
        separator = None
        if given.separator is not None:
            separator = load_taker(given.separator, config, given.device)
        task = AudioTextLearning(
            config,
            given.dim,
            tuple(given.widths),
            given.sentences,
            given.varied,
            given.whisper,
            separator,
        )
        with progress_bar("Training", False, "{:.0f} steps".format) as show:
            found = train(task, loop, given.folder, show, given.device)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    told = ", ".join(f"{name} {found[name]:.1f} %" for name in ("named", "louder_named"))
    print(f"{given.folder}: {told} of held-out sounds, and mixtures of two")


if __name__ == "__main__":
    main()
