"""What chooses a set goes by: the noise of a window, its level, and whether it is known at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fusion.scenarios.category import KindOptions, NoiseKind
from fusion.scenarios.classifier import Scenario, ScenarioClassifier, ScenarioOptions
from fusion.scenarios.domain import DomainCheck, DomainOptions, summarise
from fusion.scenarios.grown import GrownNoise, GrownOptions
from fusion.scenarios.level import LevelEstimate, LevelOptions
from fusion.scenarios.options import VerifierOptions
from fusion.scenarios.verification import Verifier
from modalities.network_file import Network, load_network
from modalities.rates import (
    MEL_HOP_SAMPLES,
    PIECE_MEL_FRAMES,
    PIECE_SAMPLES,
    SAMPLES_PER_STATE,
)
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Sight
from tasks.avsr.sets.collection import (
    DOMAIN,
    GROWN,
    GROWN_NOISE,
    KIND,
    LOUDNESS,
    SELECTOR,
    VERIFICATION,
    Collection,
)
from tasks.avsr.sets.evidence import Evidence, weigh
from tasks.avsr.sets.sight_reader import Seen

BLOCKS_HEARD = 2  # of the encoder: deeper ones forget noise that is no speech
KNOWN_TOKENS = 16  # of a known window; what goes on beyond is unlike the training data anyway


@dataclass(frozen=True)
class Impression:
    """What is made of the sound of a batch of windows.

    Attributes:
        mel: [batch, mel_bins, 320].
        probabilities: How likely each category of noise is, 0 to 1, [batch, categories].
        snr_db: Signal-to-noise ratio, by the sound alone, [batch].
        states: Mean and spread of what the first blocks of the encoder make of it, with the set
            that hears only, [batch, 2 * dim]; empty, [batch, 0], where there is no such set.
        encoded: What all blocks make of it, [batch, 160, dim]; None without that set.
        counts: How many states of each window are of sound.
    """

    mel: Tensor
    probabilities: Tensor
    snr_db: Tensor
    states: Tensor
    encoded: Tensor | None
    counts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Selector:
    """Says what noise windows are in, how loud it is, and how unlike the training data they are.

    The classifier is always there. A collection may know more, from what the encoder makes of the
    sound with the set that hears only: `kind`, `domain` and `level` want that set.

    Attributes:
        adapted: The frozen Whisper with the collection's adapters, and what compares lips and
            sound.
        classifier: Tells noise and level by the log-mel.
        listener: Name of the set that hears only; None where the collection has none.
        kind: Tells the noise in the classifier's place; None leaves it to that.
        domain: Says how unlike the training data a sound is; None takes all for known.
        level: Tells the level where lips are seen; None leaves it to the classifier.
        grown: Tells the noise of each set that was added from what was known before, by name.
        verifier: Accepts what the set that hears only makes of unknown windows, or not; None
            accepts nothing.
        others: Names on the model of the sets whose texts it compares.
        farthest: Distance above which a window is unknown.
    """

    adapted: AdaptedWhisper
    classifier: ScenarioClassifier
    listener: str | None = None
    kind: NoiseKind | None = None
    domain: DomainCheck | None = None
    level: LevelEstimate | None = None
    grown: Mapping[str, GrownNoise] = field(default_factory=dict)
    verifier: Verifier | None = None
    others: tuple[str, ...] = ()
    farthest: float = math.inf

    @torch.inference_mode()
    def describe(self, waveforms: Sequence[np.ndarray], seen: Seen) -> list[Scenario]:
        """Say what noise is heard, and how unlike the training data a window is.

        It is unlike them where neither its sound nor its face is known; then it is looked at once
        more, if there is a verifier. Where lips are seen, they too say how loud the noise is.

        Args:
            waveforms: float32 [samples], 16 kHz, of which the first 3.2 s count.
            seen: The mouths of the same windows.
        """
        used = bool(self.grown) or any(
            part is not None for part in (self.domain, self.kind, self.level)
        )
        heard = self.listen(waveforms, encode=used)
        sight, snr_db = seen.sight, heard.snr_db
        if self.level is not None and sight is not None and sight.lips is not None:
            features = self.describe_level(self.level, heard, sight)
            snr_db = torch.where(sight.mask.any(1), self.level(features), snr_db)
        found = self.classifier.name(heard.probabilities, snr_db)
        doubts = self.doubts(heard)
        far = self.sound_distances(heard, doubts)
        distances = [min(pair) for pair in zip(far, seen.distances or far, strict=True)]
        suspect = self._suspect(far, doubts, seen.distances)
        verified = self._verify(waveforms, distances, doubts.tolist(), suspect)
        for row, doubted in enumerate(suspect):
            if doubted and not verified[row]:
                distances[row] = self._beyond(float(doubts[row]))
        return [
            replace(scenario, distance=distance, grown=name, accepted=accepted and not doubted)
            for scenario, distance, name, accepted, doubted in zip(
                found, distances, self._find_grown(heard), verified, suspect, strict=True
            )
        ]

    def _suspect(self, far: Sequence[float], doubts: Tensor, faces: Sequence[float]) -> list[bool]:
        """Tell which windows sound known beside a face that is not, and have an unsure text."""
        if self.verifier is None or self.verifier.options.least_known == 0 or not faces:
            return [False] * len(far)
        return [
            doubtful and sound <= self.farthest < face < math.inf
            for sound, doubtful, face in zip(far, self.unsure(doubts), faces, strict=True)
        ]

    def unsure(self, doubts: Tensor) -> list[bool]:
        """Tell which texts are less sure than those of known sound.

        Args:
            doubts: How unsure the set that hears only is of its texts, [batch].
        """
        most = math.inf if self.domain is None else self.domain.options.doubt
        return (doubts > most).tolist()

    def _beyond(self, doubt: float) -> float:
        """Return the distance of what sounds known and is not accepted: above what is known."""
        assert self.domain is not None
        return max(1.0, self.farthest) * doubt / self.domain.options.doubt

    def _verify(
        self,
        waveforms: Sequence[np.ndarray],
        distances: Sequence[float],
        doubts: Sequence[float],
        suspect: Sequence[bool],
    ) -> list[bool]:
        """Tell for which windows, unknown or suspect, the text of the listener is accepted."""
        accepted = [False] * len(distances)
        if self.verifier is None or self.listener is None:
            return accepted
        options, rows = self.verifier.options, []
        for row, (distance, doubt) in enumerate(zip(distances, doubts, strict=True)):
            if suspect[row] or (distance > self.farthest and doubt <= options.most_doubt):
                rows.append(row)
        if not rows:
            return accepted
        some = [waveforms[row][:PIECE_SAMPLES] for row in rows]
        evidence = Evidence(self.adapted, self.listener, self.others, some)
        signals = weigh(evidence, options.signals)
        found = self.verifier.accepts(signals, [suspect[row] for row in rows])
        for row, good in zip(rows, found, strict=True):
            accepted[row] = good
        return accepted

    def _find_grown(self, heard: Impression) -> list[str]:
        """Return the added set whose noise each window has most surely, "" for none."""
        if not self.grown or not heard.states.shape[1]:
            return [""] * len(heard.mel)
        names = ["", *self.grown]
        margins = torch.stack([one.margin(heard.states) for one in self.grown.values()])
        margins = torch.cat([torch.zeros_like(margins[:1]), margins])
        return [names[place] for place in margins.argmax(0).tolist()]

    @torch.inference_mode()
    def listen(self, waveforms: Sequence[np.ndarray], encode: bool = True) -> Impression:
        """Say what is made of the sound of windows, of which the first 3.2 s count.

        Args:
            waveforms: float32 [samples], 16 kHz.
            encode: Whether the encoder hears them too, with the set that hears only.
        """
        lengths = [min(len(w), PIECE_SAMPLES) for w in waveforms]
        mel = self.adapted.hear([w[:PIECE_SAMPLES] for w in waveforms])
        frames = torch.arange(PIECE_MEL_FRAMES)
        mask = (frames < (torch.tensor(lengths) // MEL_HOP_SAMPLES)[:, None]).to(mel.device)
        logits, snr_db = self.classifier(mel, mask)
        counts = tuple(max(2, length // SAMPLES_PER_STATE) for length in lengths)
        states, encoded = mel.new_zeros(len(mel), 0), None
        if encode and self.listener is not None:
            states, encoded = self._encode(mel, counts, self.listener)
        if self.kind is not None:
            logits = self.kind(states)
        return Impression(mel, logits.softmax(1), snr_db, states, encoded, counts)

    def _encode(self, mel: Tensor, counts: tuple[int, ...], listener: str) -> tuple[Tensor, Tensor]:
        """Return `states` and `encoded` of an `Impression`."""
        each: list[Tensor] = []
        with self.adapted.using(listener):
            encoded = self.adapted.encoder(mel, each=each).values
        first = each[min(BLOCKS_HEARD, len(each)) - 1]
        rows = [row[None, :count] for row, count in zip(first, counts, strict=True)]
        return torch.cat([summarise(row) for row in rows]), encoded

    @torch.inference_mode()
    def describe_level(self, level: LevelEstimate, heard: Impression, sight: Sight) -> Tensor:
        """Return what an estimate of the level is made of, [batch, features].

        Args:
            level: Puts it together; it may be another than `level`, and not have learnt yet.
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
    def doubts(self, heard: Impression) -> Tensor:
        """Return how unsure the set that hears only is of its texts, [batch].

        It is the mean negative log-probability of a token, of the first tokens alone where a text
        is longer or can be none that is known; 0 where nothing is decoded.
        """
        if self.domain is None or self.listener is None or heard.encoded is None:
            return heard.mel.new_zeros(len(heard.mel))
        # What is less likely than this is unknown however it goes on, so it need not go on.
        least = -self.domain.options.doubt * (KNOWN_TOKENS + 1)
        with self.adapted.using(self.listener):
            said = self.adapted.decode(heard.encoded, KNOWN_TOKENS, least)
        return -torch.tensor([s.log_probability for s in said], device=heard.mel.device)

    @torch.inference_mode()
    def sound_distances(self, heard: Impression, doubts: Tensor) -> list[float]:
        """Return how far windows are from the training data, as the set that hears only finds.

        Args:
            heard: The sound.
            doubts: How unsure that set is of its texts, [batch].
        """
        if self.domain is None or self.listener is None or heard.encoded is None:
            return [0.0] * len(heard.mel)
        windows = zip(heard.encoded, heard.counts, doubts, strict=True)
        found = [self.domain(row[None, :count], -doubt[None]) for row, count, doubt in windows]
        return torch.cat(found).tolist()


def load_selector(folder: Path, adapted: AdaptedWhisper, collection: Collection) -> Selector:
    """Load the selector of a collection.

    Args:
        folder: Folder of the collection.
        adapted: The networks go where its model is; no set need be attached yet.
        collection: What the folder holds.

    Raises:
        FileNotFoundError: There is no classifier.
        ValueError: A file is damaged.
    """
    device = adapted.model.device
    classifier = load_network(ScenarioClassifier, ScenarioOptions, folder / SELECTOR)
    verifier = _load_if_there(Verifier, VerifierOptions, folder / VERIFICATION, device)
    return Selector(
        adapted,
        classifier.to(device).requires_grad_(False),
        collection.listener,
        _load_if_there(NoiseKind, KindOptions, folder / KIND, device),
        _load_if_there(DomainCheck, DomainOptions, folder / DOMAIN, device),
        _load_if_there(LevelEstimate, LevelOptions, folder / LOUDNESS, device),
        {
            name: load_network(GrownNoise, GrownOptions, folder / name / GROWN_NOISE).to(device)
            for name in collection.groups.get(GROWN, ())
        },
        verifier,
        () if verifier is None else verifier.options.others,
        collection.farthest,
    )


def _load_if_there(
    kind: type[Network], options: type, path: Path, device: torch.device
) -> Network | None:
    return load_network(kind, options, path).to(device) if path.is_file() else None
