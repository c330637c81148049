"""Collections of adapter sets: load one, describe the noise, choose a set and recognise with it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fusion.audio_visual.agreement import Agreement, AgreementNetwork, AgreementOptions
from fusion.scenarios.category import KindOptions, NoiseKind
from fusion.scenarios.classifier import Scenario, ScenarioClassifier, ScenarioOptions
from fusion.scenarios.domain import DomainCheck, DomainOptions, summarise
from fusion.scenarios.level import LevelEstimate, LevelOptions
from fusion.sets.card import SetCard
from fusion.sets.files import load_set
from modalities.network_file import load_network
from modalities.rates import (
    CROP_SIDE,
    MEL_HOP_SAMPLES,
    PIECE_MEL_FRAMES,
    PIECE_SAMPLES,
    SAMPLES_PER_STATE,
)
from modalities.speech.timed_text import Word
from modalities.speech.whisper import Whisper, load_whisper
from modalities.speech.word_times import WordAligner
from modalities.vision.lips import load_lip_encoder
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Sight
from tasks.avsr.sets.collection import (
    AGREEMENT,
    DOMAIN,
    FACES,
    KIND,
    LOUDNESS,
    SELECTOR,
    Collection,
    find_collection,
    read_collection,
)
from tasks.avsr.sets.contract import Heard, Recognised, Utterance
from tasks.devices import find_device

BLOCKS_HEARD = 2  # of the encoder: deeper ones forget noise that is no speech
PLAIN_TOKENS = 62  # of 3 s: what the pipeline lets the frozen Whisper write, see WindowDecoder
KNOWN_TOKENS = 16  # of a known window; what goes on beyond is unlike the training data anyway


def load_recogniser(model: str, sets: str | Path | None, device: str = "auto") -> "SetRecogniser":
    """Load a frozen Whisper and the sets of a collection.

    Args:
        model: Name, folder or hub id of a Whisper, as `load_whisper` takes it.
        sets: A collection, by folder or name; None for the frozen model alone.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: No such model, device or sets; or the sets are for another model.
        FileNotFoundError: A file of the sets is not there.
    """
    whisper = load_whisper(model)
    whisper.model.to(find_device(device))  # type: ignore[arg-type]
    return SetRecogniser(whisper, None if sets is None else find_collection(sets))


@dataclass(frozen=True)
class Impression:
    """What is made of the sound of a batch of windows.

    Attributes:
        mel: [batch, mel_bins, 320].
        probabilities: How likely each category of noise is, 0 to 1, [batch, categories].
        snr_db: Signal-to-noise ratio, by the sound alone, [batch].
        states: Mean and spread of what the first blocks of the encoder make of it, with the set
            that hears only, [batch, 2 * dim]; empty, [batch, 0], where there is no such set.
        encoded: What all blocks make of it, [batch, 160, dim]; None likewise.
        counts: How many states of each window are of sound.
    """

    mel: Tensor
    probabilities: Tensor
    snr_db: Tensor
    states: Tensor
    encoded: Tensor | None
    counts: tuple[int, ...]


class SetRecogniser:
    """Recognises windows of up to 3.2 s with the frozen Whisper or with sets of a collection.

    Args:
        whisper: The frozen model; adapters are put on it.
        folder: Folder of the collection; None recognises with the frozen model alone.

    Raises:
        ValueError: The collection is for another model, or damaged.
        FileNotFoundError: A file of it is not there.
    """

    def __init__(self, whisper: Whisper, folder: Path | None = None):
        self.collection: Collection | None = None
        self.fusions: dict[str, nn.Module | None] = {}
        self.cards: dict[str, SetCard] = {}
        self.selector: ScenarioClassifier | None = None
        self.domain: DomainCheck | None = None
        self.faces: DomainCheck | None = None
        self.kind: NoiseKind | None = None
        self.level: LevelEstimate | None = None
        self._read: tuple[Utterance, ...] = ()
        self._sight: tuple[Sight | None, list[float]] = None, []
        if folder is None:
            self.adapted = AdaptedWhisper(whisper)
            self.aligner = WordAligner(whisper, self.adapted.steps)
            return
        collection = read_collection(folder)
        if collection.model != whisper.name:
            raise ValueError(
                f"Adapter sets {collection.name!r} are for {collection.model}, not for "
                f"{whisper.name}. Take that model."
            )
        self.collection = collection
        device = whisper.model.device
        lips = folder / collection.lips
        encoder = load_lip_encoder(lips if lips.is_file() else collection.lips)
        agreement = load_network(AgreementNetwork, AgreementOptions, folder / AGREEMENT)
        selector = load_network(ScenarioClassifier, ScenarioOptions, folder / SELECTOR)
        self.adapted = AdaptedWhisper(whisper, encoder, agreement.requires_grad_(False))
        self.adapted.to(device)
        self.aligner = WordAligner(whisper, self.adapted.steps)
        self.selector = selector.to(device).requires_grad_(False)
        if (folder / DOMAIN).is_file():
            self.domain, self.faces = (
                load_network(DomainCheck, DomainOptions, folder / name).to(device)
                for name in (DOMAIN, FACES)
            )
        if (folder / KIND).is_file():
            self.kind = load_network(NoiseKind, KindOptions, folder / KIND).to(device)
        if (folder / LOUDNESS).is_file():
            self.level = load_network(LevelEstimate, LevelOptions, folder / LOUDNESS).to(device)
        for name in collection.sets:
            card, fusion = load_set(folder / name, self.adapted.adapters, name)
            self.cards[name] = card
            self.fusions[name] = None if fusion is None else fusion.to(device).requires_grad_(False)
        self.adapted.adapters.use(None)
        self.adapted.eval()

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the sets by what they are for."""
        found = self.collection.groups if self.collection else {}
        return {group: tuple(names) for group, names in found.items()}

    @torch.inference_mode()
    def plain(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """Recognise with the frozen model: greedy, in its window of 30 s, without timestamps."""
        adapted = self.adapted
        adapted.adapters.use(None)
        mels = [
            adapted.log_mel(adapted.log_mel.pad(torch.from_numpy(u.waveform)[None].to(self.device)))
            for u in utterances
        ]
        states = adapted.encoder(torch.cat(mels)).values
        return [Heard(adapted.spell(said)) for said in adapted.decode(states, PLAIN_TOKENS)]

    @torch.inference_mode()
    def with_set(self, utterances: Sequence[Utterance], name: str) -> list[Heard]:
        """Recognise with one set.

        Where there are no lips to read, or they do not belong to the sound, the set that hears
        only takes over.

        Raises:
            ValueError: No such set, or an utterance is longer than a window.
        """
        if name not in self.cards:
            raise ValueError(f"No adapter set {name!r}; known: {', '.join(self.cards)}.")
        listener = self._listener(name)
        if self.fusions[name] is None:
            return self._run_set(utterances, name)[0]
        sight, _ = self._look(utterances)
        if listener == name:
            return self._run_set(utterances, name, sight)[0]
        found, trusted = [Heard("")] * len(utterances), [False] * len(utterances)
        if sight is not None and bool(sight.mask.any()):
            found, trusted = self._run_set(utterances, name, sight)
            shown = sight.mask.any(1).tolist()
            trusted = [lips and agree for lips, agree in zip(shown, trusted, strict=True)]
        left = [place for place, lips in enumerate(trusted) if not lips]
        again = self._run_set([utterances[n] for n in left], listener)[0] if left else []
        for place, heard in zip(left, again, strict=True):
            found[place] = replace(heard, agreement=found[place].agreement)
        return found

    def _listener(self, name: str) -> str:
        """Return the set that takes over from one where there are no lips to go by."""
        return next(iter(self.groups.get("audio", ())), name)

    def _agrees(self, agreement: Agreement) -> list[bool]:
        """Return whether lips and sound of each window belong together well enough."""
        if self.collection is None:
            return [True] * len(agreement.score)
        loud, quiet = self.collection.least_agreement, self.collection.least_in_quiet
        least = torch.where(agreement.snr_db.mean(1) < 0, loud, quiet)
        return (agreement.score.sigmoid() >= least).tolist()

    def _run_set(
        self, utterances: Sequence[Utterance], name: str, sight: Sight | None = None
    ) -> tuple[list[Heard], list[bool]]:
        """Recognise with one set; also say in which windows lips and sound agree."""
        adapted, fusion = self.adapted, self.fusions[name]
        with self._hearing(name):
            mel = adapted.hear([u.waveform for u in utterances])
            states, agreement = adapted.encode(mel, sight, fusion)  # type: ignore[arg-type]
            said = adapted.decode(states)
        scores: list[float | None] = [None] * len(utterances)
        agree = [True] * len(utterances)
        if agreement is not None and sight is not None:
            shown = sight.mask.any(1).tolist()
            values = agreement.score.sigmoid().tolist()
            scores = [value if here else None for value, here in zip(values, shown, strict=True)]
            agree = self._agrees(agreement)
        heard = [Heard(adapted.spell(s), score) for s, score in zip(said, scores, strict=True)]
        return heard, agree

    @torch.inference_mode()
    def describe(self, utterances: Sequence[Utterance]) -> list[Scenario]:
        """Say what noise is heard, and how unlike the training data a window is.

        It is unlike them where neither its sound nor its face is known. Where lips are seen, they
        too say how loud the noise is.

        Raises:
            ValueError: There are no sets, so no selector either.
        """
        used = any(part is not None for part in (self.domain, self.kind, self.level))
        heard = self.listen([u.waveform for u in utterances], encode=used)
        assert self.selector is not None
        sight, seen = self._look(utterances)
        snr_db = heard.snr_db
        if self.level is not None and sight is not None and sight.lips is not None:
            features = self.describe_level(self.level, heard, sight)
            snr_db = torch.where(sight.mask.any(1), self.level(features), snr_db)
        found = self.selector.name(heard.probabilities, snr_db)
        far = self._sound_distances(heard)
        distances = [min(pair) for pair in zip(far, seen or far, strict=True)]
        return [replace(s, distance=d) for s, d in zip(found, distances, strict=True)]

    @torch.inference_mode()
    def describe_level(self, level: LevelEstimate, heard: Impression, sight: Sight) -> Tensor:
        """Return what an estimate of the level is made of, [batch, features].

        Args:
            level: The estimate.
            heard: The sound.
            sight: What is seen, as `AdaptedWhisper.look` returns it.

        Raises:
            ValueError: There are no lips, or nothing that compares them with the sound.
        """
        if sight.lips is None or self.adapted.agreement is None:
            raise ValueError("The level is estimated from lips and sound; there are no lips.")
        agreement = self.adapted.agreement(heard.mel, sight.lips, sight.mask)
        return level.describe(
            heard.snr_db, heard.probabilities, agreement, sight.mask, heard.states
        )

    @torch.inference_mode()
    def listen(self, waveforms: Sequence[np.ndarray], encode: bool = True) -> Impression:
        """Say what is made of the sound of windows, of which the first 3.2 s count.

        Args:
            waveforms: float32 [samples], 16 kHz.
            encode: Whether the encoder hears them too, with the set that hears only.

        Raises:
            ValueError: There are no sets, so no selector either.
        """
        if self.selector is None:
            raise ValueError("Without adapter sets there is no selector; name a collection.")
        lengths = [min(len(w), PIECE_SAMPLES) for w in waveforms]
        mel = self.adapted.hear([w[:PIECE_SAMPLES] for w in waveforms])
        frames = torch.arange(PIECE_MEL_FRAMES)
        mask = (frames < (torch.tensor(lengths) // MEL_HOP_SAMPLES)[:, None]).to(self.device)
        logits, snr_db = self.selector(mel, mask)
        counts = tuple(max(2, length // SAMPLES_PER_STATE) for length in lengths)
        states, encoded = mel.new_zeros(len(mel), 0), None
        listeners = self.groups.get("audio", ())
        if encode and listeners:
            each: list[Tensor] = []
            with self._hearing(listeners[0]):
                encoded = self.adapted.encoder(mel, each=each).values
            first = each[min(BLOCKS_HEARD, len(each)) - 1]
            rows = [row[None, :count] for row, count in zip(first, counts, strict=True)]
            states = torch.cat([summarise(row) for row in rows])
        if self.kind is not None:
            logits = self.kind(states)
        return Impression(mel, logits.softmax(1), snr_db, states, encoded, counts)

    @contextmanager
    def _hearing(self, name: str) -> Iterator[None]:
        """Switch a set on, and off when the block ends."""
        self.adapted.adapters.use(name)
        try:
            yield
        finally:
            self.adapted.adapters.use(None)

    def _look(self, utterances: Sequence[Utterance]) -> tuple[Sight | None, list[float]]:
        """Read the mouths of a batch, some of which may have none.

        Returns:
            What is seen, without faces that are unlike the training data, whose lips nobody learnt
            to read; and how far each is from them, none without video.
        """
        if all(u.crops is None for u in utterances):
            return None, []
        # The selector and each set look at the same mouths: they are read once.
        same = len(utterances) == len(self._read) and all(
            a is b for a, b in zip(utterances, self._read, strict=True)
        )
        if not same:
            self._read, self._sight = tuple(utterances), self._look_anew(utterances)
        return self._sight

    def _look_anew(self, utterances: Sequence[Utterance]) -> tuple[Sight, list[float]]:
        nothing = np.zeros((0, CROP_SIDE, CROP_SIDE), np.uint8), np.zeros(0, bool)
        seen = [nothing if u.crops is None else (u.crops, u.mask) for u in utterances]
        sight = self.adapted.look(*zip(*seen, strict=True))  # type: ignore[arg-type]
        distances = self._face_distances(sight)
        if self.collection is None or not distances:
            return sight, distances
        known = torch.tensor(distances, device=self.device) <= self.collection.farthest
        return replace(sight, mask=sight.mask & known[:, None]), distances

    def _face_distances(self, sight: Sight) -> list[float]:
        """Return how far faces are from those of the training data; none without lips to read."""
        if self.faces is None or sight.lips is None:
            return []
        distances = []
        for lips, mask in zip(sight.lips, sight.mask, strict=True):
            known = lips[None, mask]
            distances.append(float(self.faces(known)) if known.shape[1] > 1 else math.inf)
        return distances

    def _sound_distances(self, heard: Impression) -> list[float]:
        """Return how far windows are from the training data, as the set that hears only finds."""
        if self.domain is None or heard.encoded is None:
            return [0.0] * len(heard.mel)
        # What is less likely than this is unknown however it goes on, so it need not go on.
        least = -self.domain.options.doubt * (KNOWN_TOKENS + 1)
        with self._hearing(self.groups["audio"][0]):
            said = self.adapted.decode(heard.encoded, KNOWN_TOKENS, least)
        doubts = torch.tensor([s.log_probability for s in said], device=self.device)
        windows = zip(heard.encoded, heard.counts, doubts, strict=True)
        return torch.cat(
            [self.domain(row[None, :count], doubt[None]) for row, count, doubt in windows]
        ).tolist()

    @torch.inference_mode()
    def recognise(self, utterances: Sequence[Utterance]) -> list[Recognised]:
        """Choose a set for each and recognise with it; without a mouth, or unknown, abstain.

        Raises:
            ValueError: An utterance is longer than a window.
        """
        found = [Recognised()] * len(utterances)
        shown = [n for n, u in enumerate(utterances) if u.mask is not None and u.mask.any()]
        if not shown:
            return found
        seen = [utterances[place] for place in shown]
        scenarios = self.describe(seen)
        sight, _ = self._look(seen)
        for row, (place, scenario) in enumerate(zip(shown, scenarios, strict=True)):
            mouth = None if sight is None else sight.row(row)
            found[place] = self._recognise_one(utterances[place], scenario, mouth)
        return found

    def _recognise_one(
        self, utterance: Utterance, scenario: Scenario, sight: Sight | None
    ) -> Recognised:
        name = self.choose(scenario)
        heard = Recognised(
            scenario.category, round(scenario.snr_db, 1), round(scenario.distance, 3)
        )
        if name is None:
            return heard
        if sight is None or not bool(sight.mask.any()):
            name, sight = self._listener(name), None
        text, words, agreement = self._read_words(utterance, name, sight)
        score = None if agreement is None else round(float(agreement.score.sigmoid()), 3)
        if agreement and not self._agrees(agreement)[0] and name != self._listener(name):
            name = self._listener(name)
            text, words, _ = self._read_words(utterance, name)
        return replace(heard, adapter_set=name, text=text, words=words, agreement=score)

    def _read_words(
        self, utterance: Utterance, name: str, sight: Sight | None = None
    ) -> tuple[str, tuple[Word, ...], Agreement | None]:
        """Recognise one utterance: text, words with times, and how lips and sound agree."""
        adapted = self.adapted
        with self._hearing(name):
            mel = adapted.hear([utterance.waveform])
            states, agreement = adapted.encode(mel, sight, self.fusions[name])  # type: ignore[arg-type]
            state = adapted.steps.start(states)
            said = adapted.decode_from(state, 1)[0]
            frames = len(utterance.waveform) // MEL_HOP_SAMPLES
            words = self.aligner.align(state, adapted.prompt[:-1], [said.tokens], frames)[0]
        return adapted.spell(said), words, agreement

    def choose(self, scenario: Scenario, by: str | None = None) -> str | None:
        """Choose a set as the collection does, see `Collection.choose`.

        Args:
            scenario: What `describe` says of the window.
            by: One of `CHOICES`; None for the collection's own.

        Returns:
            The name of a set; None where the selector abstains.

        Raises:
            ValueError: No such way of choosing.
        """
        return None if self.collection is None else self.collection.choose(scenario, by)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.adapted.model.device
