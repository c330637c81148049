"""Recognise windows with the frozen Whisper, with a set, or with the one that suits the noise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fusion.audio_visual.agreement import Agreement, AgreementNetwork, AgreementOptions
from fusion.scenarios.classifier import Scenario
from fusion.sets.card import SetCard
from fusion.sets.files import load_set
from modalities.audio.full_scale import to_full_scale
from modalities.network_file import load_network
from modalities.rates import MEL_HOP_SAMPLES
from modalities.speech.covering import shorten
from modalities.speech.timed_text import Word
from modalities.speech.whisper import Whisper, load_whisper
from modalities.speech.word_times import WordAligner
from modalities.vision.lips import load_lip_encoder
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Sight
from tasks.avsr.sets.collection import (
    AGREEMENT,
    GROWN,
    Collection,
    find_collection,
    read_collection,
)
from tasks.avsr.sets.contract import Heard, Recognised, Utterance
from tasks.avsr.sets.selector import Selector, load_selector
from tasks.avsr.sets.sight_reader import SightReader, load_sight_reader
from tasks.devices import find_device

PLAIN_TOKENS = 62  # of 3 s: what the pipeline lets the frozen Whisper write, see WindowDecoder


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
        self.cards: dict[str, SetCard] = {}
        self.fusions: dict[str, nn.Module | None] = {}
        self.selector: Selector | None = None  # None without a collection, and only then
        if folder is None:
            self.collection = Collection("", whisper.name, "", groups={})
            self.adapted = AdaptedWhisper(whisper)
            self.sights = SightReader(self.adapted)
        else:
            self.collection = _read_collection_for(whisper, folder)
            self.adapted = _load_adapted(whisper, folder, self.collection.lips)
            grown = self.collection.groups.get(GROWN, ())
            self.selector = load_selector(folder, self.adapted, self.collection.listener, grown)
            self.sights = load_sight_reader(folder, self.adapted, self.collection.farthest)
            self._load_sets(folder)
        self.aligner = WordAligner(whisper, self.adapted.steps)

    def _load_sets(self, folder: Path) -> None:
        """Attach all sets of the collection, and leave all of them off."""
        for name in self.collection.sets:
            card, fusion = load_set(folder / name, self.adapted.adapters, name)
            self.cards[name] = card
            if fusion is not None:
                fusion.to(self.device).requires_grad_(False)
            self.fusions[name] = fusion
        self.adapted.adapters.use(None)
        self.adapted.eval()

    def add_set(self, name: str, fusion: nn.Module | None = None) -> None:
        """Recognise with one more set, whose adapter is on the model already.

        Args:
            name: What its adapter is called on the model.
            fusion: What joins lips and sound in it; None for one that hears only.

        Raises:
            ValueError: The model has no such adapter.
        """
        self.adapted.adapters.parts(name)  # refuses one that is not there
        self.fusions[name] = None if fusion is None else fusion.to(self.device).eval()

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the sets by what they are for."""
        return {group: tuple(names) for group, names in self.collection.groups.items()}

    @torch.inference_mode()
    def plain(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """Recognise with the frozen model: greedy, in its window of 30 s, without timestamps."""
        adapted = self.adapted
        adapted.adapters.use(None)
        mels = [
            adapted.log_mel(adapted.log_mel.pad(torch.from_numpy(w)[None].to(self.device)))
            for w in _waveforms(utterances)
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
        if name not in self.fusions:
            raise ValueError(f"No adapter set {name!r}; known: {', '.join(self.fusions)}.")
        listener = self._stand_in(name)
        if self.fusions[name] is None:
            return self._run_set(utterances, name)[0]
        sight = self.sights.look(utterances).sight
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

    def _stand_in(self, name: str) -> str:
        """Return the set that takes over from one where there are no lips to go by."""
        return self.collection.listener or name

    def _agrees(self, agreement: Agreement) -> list[bool]:
        """Return whether lips and sound of each window belong together well enough."""
        loud, quiet = self.collection.least_agreement, self.collection.least_in_quiet
        least = torch.where(agreement.snr_db.mean(1) < 0, loud, quiet)
        return (agreement.score.sigmoid() >= least).tolist()

    def _run_set(
        self, utterances: Sequence[Utterance], name: str, sight: Sight | None = None
    ) -> tuple[list[Heard], list[bool]]:
        """Recognise with one set; also say in which windows lips and sound agree."""
        adapted, fusion = self.adapted, self.fusions[name]
        with adapted.using(name):
            mel = adapted.hear(_waveforms(utterances))
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
        """Say what noise is heard in windows, and how unlike the training data they are.

        Raises:
            ValueError: There are no sets, so no selector either.
        """
        if self.selector is None:
            raise ValueError("Without adapter sets there is no selector; name a collection.")
        seen = self.sights.look(utterances)
        return self.selector.describe(_waveforms(utterances), seen)

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
        sight = self.sights.look(seen).sight
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
            name, sight = self._stand_in(name), None
        text, words, agreement = self._read_words(utterance, name, sight)
        score = None if agreement is None else round(float(agreement.score.sigmoid()), 3)
        seen = sight is not None and self.fusions[name] is not None
        if agreement and not self._agrees(agreement)[0] and name != self._stand_in(name):
            name = self._stand_in(name)
            text, words, _ = self._read_words(utterance, name)
            seen = False
        return replace(
            heard, adapter_set=name, text=text, words=words, agreement=score, video_used=seen
        )

    def _read_words(
        self, utterance: Utterance, name: str, sight: Sight | None = None
    ) -> tuple[str, tuple[Word, ...], Agreement | None]:
        """Recognise one utterance: text, words with times, and how lips and sound agree."""
        adapted = self.adapted
        with adapted.using(name):
            mel = adapted.hear(_waveforms([utterance]))
            states, agreement = adapted.encode(mel, sight, self.fusions[name])  # type: ignore[arg-type]
            state = adapted.steps.start(states)
            said = adapted.decode_from(state, 1)[0]
            frames = len(utterance.waveform) // MEL_HOP_SAMPLES
            words = self.aligner.align(state, adapted.prompt[:-1], said.tokens, frames)
        return adapted.spell(said), shorten(words), agreement

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
        return self.collection.choose(scenario, by)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.adapted.model.device


def _waveforms(utterances: Sequence[Utterance]) -> list[np.ndarray]:
    """Return the sound of utterances at one level: sets and selector heard no other."""
    return [to_full_scale(utterance.waveform) for utterance in utterances]


def _read_collection_for(whisper: Whisper, folder: Path) -> Collection:
    """Read a collection, and refuse one of another model."""
    collection = read_collection(folder)
    if collection.model != whisper.name:
        raise ValueError(
            f"Adapter sets {collection.name!r} are for {collection.model}, not for "
            f"{whisper.name}. Take that model."
        )
    return collection


def _load_adapted(whisper: Whisper, folder: Path, lips: str) -> AdaptedWhisper:
    """Put a collection's lip encoder, by name or file, and its agreement beside a Whisper."""
    path = folder / lips
    encoder = load_lip_encoder(path if path.is_file() else lips)
    agreement = load_network(AgreementNetwork, AgreementOptions, folder / AGREEMENT)
    adapted = AdaptedWhisper(whisper, encoder, agreement.requires_grad_(False))
    return adapted.to(whisper.model.device)
