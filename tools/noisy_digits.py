"""Spoken digits in noise scenarios, heard by a frozen Whisper encoder: a ground for studies.

A digit is a window of 0.8 s. The lower layers of the encoder are never changed, so what they make
of each noisy digit is reckoned once and kept; adapters and banks live in what is above. A linear
layer on top, trained on clean digits and then frozen as well, names the digit.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.media.audio import read_audio
from data_prep.sounds.labelled import Sound
from data_prep.sounds.protocols import hold_out_speakers
from modalities.audio.log_mel import LogMel
from modalities.encoder import FrozenEncoder
from modalities.rates import RATE_HZ
from modalities.speech.whisper_encoder import WhisperEncoder, load_whisper_encoder
from modalities.whole_file import replace_when_whole
from tools.noise_scenarios import SCENARIOS, render_scenario

ROOT = Path(__file__).resolve().parents[1]
SPOKEN = ROOT / "../shared/data/fsdd"
BUILT = ROOT / "build/routers"
WHISPER = "whisper-tiny.en"
WINDOW_S = 0.8
WINDOW = int(WINDOW_S * RATE_HZ)
LOWER = 3  # of the 4 layers of tiny: these are never changed
SPEAKERS = {"validation": "theo", "test": "nicolas"}  # heard in no training
CLIPS = {"train": 200, "validation": 60, "test": 200}  # of each scenario
HEAD_CLIPS = 400  # clean ones that the layer on top is trained with
FOLDS = tuple(CLIPS)
RECIPE = 1  # of scenarios and windows; another number makes what is kept anew
SEED = 22
BATCH = 32


@dataclass(frozen=True, eq=False)
class Clips:
    """Noisy digits, or a batch of them.

    Attributes:
        states: What the lower layers of the encoder made, float16 or float32, [clips, 40, dim].
        digits: What was said, int64, [clips].
        tasks: Number of each clip's scenario among those that were asked for, int64, [clips].
    """

    states: Tensor
    digits: Tensor
    tasks: Tensor

    def __len__(self) -> int:
        return len(self.digits)

    def take(self, numbers: Sequence[int] | Tensor) -> "Clips":
        """Return some of them, states in float32."""
        places = torch.as_tensor(numbers)
        return Clips(self.states[places].float(), self.digits[places], self.tasks[places])

    def some(self, each: int, seed: int) -> "Clips":
        """Return so many of each scenario, drawn at random, fewer where there are fewer."""
        generator = torch.Generator().manual_seed(seed)
        chosen = []
        for task in self.tasks.unique():
            places = (self.tasks == task).nonzero()[:, 0]
            chosen.append(places[torch.randperm(len(places), generator=generator)[:each]])
        places = torch.cat(chosen)
        return Clips(self.states[places], self.digits[places], self.tasks[places])


class DigitEar(FrozenEncoder):
    """The upper layers of an encoder, and the layer that names digits; adapters may live in it.

    Args:
        encoder: A Whisper's; its lower layers serve `listen`, the upper ones every digit.
    """

    def __init__(self, encoder: WhisperEncoder):
        super().__init__()
        self.layers = nn.ModuleList(list(encoder.encoder.layers)[LOWER:])
        self.norm = encoder.final_norm
        self.head = nn.Linear(self.norm.normalized_shape[0], 10)
        self.lower = (encoder, LogMel(encoder.mel_bins))  # in a tuple: adapters keep off it
        self.freeze()

    def forward(self, states: Tensor) -> Tensor:
        """Name digits, [batch, tokens, dim] -> logits, [batch, 10]."""
        return self.head(self.pool(states))

    def pool(self, states: Tensor) -> Tensor:
        """Return the mean over time of what the upper layers make, -> [batch, dim]."""
        for layer in self.layers:
            states = layer(states, None)
            states = states[0] if isinstance(states, tuple) else states
        return self.norm(states).mean(1)

    @torch.no_grad()
    def listen(self, waveforms: np.ndarray) -> Tensor:
        """Hear windows with the lower layers, [clips, samples] -> [clips, tokens, dim]."""
        encoder, log_mel = self.lower
        made: list[Tensor] = []
        below = encoder.encoder.layers
        encoder.encoder.layers = below[:LOWER]
        try:
            for start in range(0, len(waveforms), BATCH):
                mel = log_mel(torch.from_numpy(waveforms[start : start + BATCH]))
                made.append(encoder.states(mel).values)
        finally:
            encoder.encoder.layers = below
        return torch.cat(made)


class NoisyDigits:
    """The digits of FSDD in scenarios, and who hears them; what was reckoned once is kept.

    Args:
        folder: Where it is kept.
        spoken: The digits, see `find_fsdd_sounds`.
        whisper: Whose encoder hears; a name, see `load_whisper`.
        clips: How many of each scenario where nothing else is asked, by fold: "train",
            "validation" and "test".

    Raises:
        FileNotFoundError: There are no digits.
        ValueError: No such Whisper, or speakers are missing.
    """

    def __init__(
        self,
        folder: Path = BUILT / "digits",
        spoken: Path = SPOKEN,
        whisper: str = WHISPER,
        clips: Mapping[str, int] | None = None,
    ):
        self.folder, self.whisper = folder, whisper
        self.clips = {**CLIPS, **(clips or {})}
        fold = hold_out_speakers(find_fsdd_sounds(spoken), SPEAKERS["test"], SPEAKERS["validation"])
        self.sounds = {name: getattr(fold, name) for name in FOLDS}
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def encoder(self) -> WhisperEncoder:
        """The whole encoder, frozen."""
        return load_whisper_encoder(self.whisper)

    def load(self, scenarios: Iterable[str], fold: str, each: int | None = None) -> Clips:
        """Return the digits of a fold in some scenarios.

        Args:
            scenarios: Names of `SCENARIOS`; their order numbers the tasks.
            fold: "train", "validation" or "test".
            each: How many of each scenario, fewer where there are fewer; None for as many as
                `clips` says.

        Raises:
            ValueError: No such scenario or fold.
        """
        parts = []
        for task, scenario in enumerate(scenarios):
            kept = self._kept(scenario, fold, each)
            parts.append(Clips(**kept, tasks=torch.full_like(kept["digits"], task)))
        return Clips(
            torch.cat([part.states for part in parts]),
            torch.cat([part.digits for part in parts]),
            torch.cat([part.tasks for part in parts]),
        )

    def build_ear(self) -> DigitEar:
        """Build who hears, its own copy of the layers, with the layer that names clean digits.

        Raises:
            OSError: The layer cannot be written.
        """
        ear = DigitEar(deepcopy(self.encoder))
        place = self.folder / "head.safetensors"
        if not place.exists():
            head = _train_head(ear, self.load(["clean"], "train", HEAD_CLIPS))
            with replace_when_whole(place) as partial:
                save_file(head, partial)
        ear.head.load_state_dict(load_file(place))
        return ear

    def render(self, scenario: str, fold: str, count: int | None = None) -> np.ndarray:
        """Make the noisy windows of a fold again, float32 [clips, samples].

        Raises:
            ValueError: No such scenario.
        """
        chosen = self._chosen(fold, count)
        voices = self._voices
        numbers = list(SCENARIOS).index(scenario), FOLDS.index(fold)
        made = []
        for number, sound in enumerate(chosen):
            random = np.random.default_rng((SEED, 1, FOLDS.index(fold), number))
            others = [voice for voice, who in voices if who != sound.speaker]
            speech = place_in_window(read_audio(Path(sound.media)), random)
            made.append(render_scenario(scenario, speech, others, (SEED, 2, *numbers, number)))
        return np.stack(made)

    def _chosen(self, fold: str, count: int | None = None) -> list[Sound]:
        """Draw the clips of a fold, the same for all scenarios."""
        if fold not in FOLDS:
            raise ValueError(f"No fold {fold!r}; known: {', '.join(FOLDS)}.")
        sounds = self.sounds[fold]
        order = np.random.default_rng((SEED, 0, FOLDS.index(fold))).permutation(len(sounds))
        return [sounds[place] for place in order[: count or self.clips[fold]]]

    @cached_property
    def _voices(self) -> list[tuple[np.ndarray, str | None]]:
        """Digits for babble, of speakers who train; other recordings where there are enough."""
        sounds = [sound for sound in self.sounds["train"] if sound.fold == "test"]
        return [(read_audio(Path(sound.media)), sound.speaker) for sound in sounds]

    def _kept(self, scenario: str, fold: str, each: int | None) -> dict[str, Tensor]:
        if scenario not in SCENARIOS:
            raise ValueError(f"No scenario {scenario!r}; known: {', '.join(SCENARIOS)}.")
        chosen = self._chosen(fold, each)
        made_of = [self.whisper, str(RECIPE), *(sound.id for sound in chosen)]
        name = f"{scenario.replace(', ', '_')}_{fold}_{len(chosen)}.safetensors"
        place = self.folder / name
        if place.exists() and _read_note(place) == made_of:
            return load_file(place)
        ear = DigitEar(self.encoder)
        states = ear.listen(self.render(scenario, fold, each)).half()
        digits = torch.tensor([int(sound.label) for sound in chosen])
        kept = {"states": states, "digits": digits}
        with replace_when_whole(place) as partial:
            save_file(kept, partial, {"made_of": json.dumps(made_of)})
        return kept


def place_in_window(speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Put a digit somewhere into a window; a long one is cut to its middle, -> [samples]."""
    spare = WINDOW - len(speech)
    if spare <= 0:
        return speech[-spare // 2 :][:WINDOW]
    before = int(random.integers(spare + 1))
    return np.pad(speech, (before, spare - before))


def _read_note(place: Path) -> Any:
    with safe_open(place, "pt") as file:
        return json.loads((file.metadata() or {}).get("made_of", "null"))


def _train_head(ear: DigitEar, clips: Clips) -> dict[str, Tensor]:
    """Fit the layer on clean digits, by the logistic loss with a little decay of weights."""
    with torch.no_grad():
        pooled = torch.cat([ear.pool(part.states) for part in batches_of(clips)])
    head = nn.Linear(pooled.shape[1], 10)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def close() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(head(pooled), clips.digits)
        loss = loss + 1e-4 * head.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(close)
    return {name: tensor.detach() for name, tensor in head.state_dict().items()}


def batches_of(clips: Clips, size: int = 2 * BATCH) -> Iterable[Clips]:
    """Go through clips in their order."""
    for start in range(0, len(clips), size):
        yield clips.take(range(start, min(start + size, len(clips))))


Route = Callable[[Clips], AbstractContextManager[Any]]


@torch.no_grad()
def name_digits(ear: DigitEar, clips: Clips, route: Route | None = None) -> Tensor:
    """Hear clips, the ear in evaluation mode.

    Args:
        ear: With what adapters are on it.
        clips: To hear.
        route: Tells a bank of a batch, as `lambda batch: bank.route(tasks=batch.tasks)`.

    Returns:
        Digits, int64, [clips].
    """
    was = [module.training for module in ear.modules()]
    ear.eval()
    named = []
    for batch in batches_of(clips):
        with nullcontext() if route is None else route(batch):
            named.append(ear(batch.states).argmax(-1))
    for module, training in zip(ear.modules(), was, strict=True):
        module.training = training
    return torch.cat(named)


def measure_errors(
    ear: DigitEar, clips: Clips, scenarios: Sequence[str], route: Route | None = None
) -> dict[str, float]:
    """Return the digit errors of each scenario in percent; arguments as of `name_digits`.

    Args:
        ear: With what adapters are on it.
        clips: Loaded with these scenarios.
        scenarios: In the order of the clips' tasks.
        route: Tells a bank of a batch.
    """
    wrong = (name_digits(ear, clips, route) != clips.digits).double()
    return {
        name: 100 * float(wrong[clips.tasks == task].mean()) for task, name in enumerate(scenarios)
    }
