"""Recognise windows with the frozen Whisper, with a set, or with the one that suits the noise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from fusion.scenarios.classifier import Scenario
from fusion.serving.loaded_sets import LoadedSets, bytes_of
from fusion.sets.card import SetCard, read_card
from modalities.network_file import load_network
from modalities.speech.whisper import Whisper, load_whisper
from modalities.vision.lips import load_lip_encoder
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper
from tasks.avsr.sets.collection import (
    AGREEMENT,
    Collection,
    find_collection,
    read_collection,
)
from tasks.avsr.sets.contract import Heard, Recognised, Utterance
from tasks.avsr.sets.row_reader import RowReader, level_all
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
        limit_bytes: The most that loaded sets may take together; those longest unused are dropped,
            and loaded again when they are asked for. None loads all at once, and keeps them.
        prefix: Stands before the sets' names on the model, where it has other collections too.

    Attributes:
        sets: The sets, which may come and go; see `LoadedSets`.

    Raises:
        ValueError: The collection is for another model, or damaged.
        FileNotFoundError: A file of it is not there.
    """

    def __init__(
        self,
        whisper: Whisper,
        folder: Path | None = None,
        limit_bytes: int | None = None,
        prefix: str = "",
    ):
        self.cards: dict[str, SetCard] = {}
        self.selector: Selector | None = None  # None without a collection, and only then
        if folder is None:
            self.collection = Collection("", whisper.name, "", groups={})
            self.adapted = AdaptedWhisper(whisper)
            self.sights = SightReader(self.adapted)
            self.sets = LoadedSets(self.adapted.adapters)
        else:
            self.collection = _read_collection_for(whisper, folder)
            self.adapted = _load_adapted(whisper, folder, self.collection.lips)
            self.selector = load_selector(folder, self.adapted, self.collection)
            self.sights = load_sight_reader(folder, self.adapted, self.collection.farthest)
            self.sets = LoadedSets(self.adapted.adapters, limit_bytes, prefix)
            self._load_sets(folder, at_once=limit_bytes is None)
        self.adapted.eval()
        self.rows = RowReader(self.adapted, self.sets, self.collection)

    def _load_sets(self, folder: Path, at_once: bool) -> None:
        """Let all sets of the collection be asked for; or leave none there where one is damaged."""
        try:
            for name in self.collection.sets:
                self.sets.add(name, folder / name)
                self.cards[name] = read_card(folder / name)
            with self.sets.held(self.collection.sets if at_once else []):
                pass
        except Exception:
            self.drop()
            raise

    def add_set(self, name: str, fusion: nn.Module | None = None) -> None:
        """Recognise with one more set, whose adapter is on the model already.

        Args:
            name: What its adapter is called on the model.
            fusion: What joins lips and sound in it; None for one that hears only.

        Raises:
            ValueError: The model has no such adapter.
        """
        self.sets.adopt(name, None if fusion is None else fusion.to(self.device).eval())

    @property
    def fusions(self) -> Mapping[str, nn.Module | None]:
        """What joins lips and sound, by the name of the loaded set; None in one that hears only."""
        return {name: one.fusion for name, one in self.sets.loaded.items()}

    def drop(self) -> None:
        """Take the sets off the model, which stays."""
        self.sets.remove_all()
        self.cards.clear()

    @property
    def bytes(self) -> int:
        """What the collection holds in memory beside the frozen model."""
        adapted, selector = self.adapted, self.selector
        networks = [adapted.lips, adapted.agreement, self.sights.faces]
        if selector is not None:
            networks += [selector.classifier, selector.kind, selector.domain, selector.level]
            networks.append(selector.verifier)
            networks += selector.grown.values()
        return self.sets.bytes + sum(map(bytes_of, networks))

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the sets by what they are for."""
        return {group: tuple(names) for group, names in self.collection.groups.items()}

    @torch.inference_mode()
    def plain(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """Recognise with the frozen model: greedy, in its window of 30 s, without timestamps."""
        adapted = self.adapted
        mels = [
            adapted.log_mel(adapted.log_mel.pad(torch.from_numpy(w)[None].to(self.device)))
            for w in level_all(utterances)
        ]
        with self.sets.turn():
            adapted.adapters.use(None)
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
        rows = self.read_rows(utterances, [name] * len(utterances), words=False)
        return [Heard(row.text or "", row.agreement) for row in rows]

    @torch.inference_mode()
    def read_rows(
        self, utterances: Sequence[Utterance], names: Sequence[str], *, words: bool = True
    ) -> list[Recognised]:
        """Recognise each window with a set of its own, all of them in one batch.

        Where there are no lips to read, or they do not belong to the sound, the set that hears
        only takes over.

        Args:
            utterances: Windows of at most 3.2 s, of one speaker or of many.
            names: The set of each.
            words: Whether to say when each word is said.

        Returns:
            In their order, each as it would come alone; without what a selector tells.

        Raises:
            ValueError: No such set, or an utterance is longer than a window.
        """
        with self.sets.held(names) as held, self.sets.turn():
            sees = [one.fusion is not None for one in held]
            sight = self.sights.look(utterances).sight if any(sees) else None
            shown = [False] * len(names) if sight is None else sight.mask.any(1).tolist()
            taken = [
                name if here or not needed else self.rows.stand_in(name)
                for name, here, needed in zip(names, shown, sees, strict=True)
            ]
            return self.rows.read(utterances, taken, sight, words)

    @torch.inference_mode()
    def describe(self, utterances: Sequence[Utterance]) -> list[Scenario]:
        """Say what noise is heard in windows, and how unlike the training data they are.

        Raises:
            ValueError: There are no sets, so no selector either.
        """
        if self.selector is None:
            raise ValueError("Without adapter sets there is no selector; name a collection.")
        listener = self.collection.listener
        names = [listener, *self.selector.others] if listener else []
        with self.sets.held(names) as held, self.sets.turn():
            on_model, *others = [one.adapter for one in held] or [None]
            seen = self.sights.look(utterances)
            selector = replace(self.selector, listener=on_model, others=tuple(map(str, others)))
            return selector.describe(level_all(utterances), seen)

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
        rows = [row for row, scenario in enumerate(scenarios) if self.choose(scenario)]
        read = iter(self._read_chosen(rows, seen, scenarios) if rows else ())
        for row, (place, scenario) in enumerate(zip(shown, scenarios, strict=True)):
            found[place] = replace(
                next(read) if row in rows else Recognised(),
                scenario=scenario.category,
                snr_db=round(scenario.snr_db, 1),
                distance=round(scenario.distance, 3),
            )
        return found

    def _read_chosen(
        self, rows: Sequence[int], seen: Sequence[Utterance], scenarios: Sequence[Scenario]
    ) -> list[Recognised]:
        """Recognise those of a batch, by their numbers, for which a set was chosen."""
        with self.sets.turn():
            sight = self.sights.look(seen).sight
        sight = None if sight is None else sight.take(rows)
        here = [False] * len(rows) if sight is None else sight.mask.any(1).tolist()
        names = [str(self.choose(scenarios[row])) for row in rows]
        taken = [
            name if mouth else self.rows.stand_in(name)
            for name, mouth in zip(names, here, strict=True)
        ]
        return [
            row if row.agreement is None else replace(row, agreement=round(row.agreement, 3))
            for row in self.rows.read([seen[n] for n in rows], taken, sight)
        ]

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
