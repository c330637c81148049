"""What speaks for and against the text that a set made of a window it may not be for."""

from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Said

LATER = 3_840  # samples, 0.24 s: what is really heard is heard a little later, too
PLAIN_TOKENS = 62


class Evidence:
    """Hears windows in further ways, each when it is first asked for.

    Args:
        adapted: The frozen Whisper, with the sets on it.
        listener: The set that hears only, by its name on the model.
        others: Further sets, likewise; they hear without lips.
        waveforms: float32 [samples], 16 kHz, at most 3.2 s.
    """

    def __init__(
        self,
        adapted: AdaptedWhisper,
        listener: str,
        others: Sequence[str],
        waveforms: Sequence[np.ndarray],
    ):
        self.adapted, self.listener, self.others = adapted, listener, tuple(others)
        self.waveforms = list(waveforms)
        self.mel = adapted.hear(self.waveforms)

    @cached_property
    def states(self) -> Tensor:
        """What the encoder makes of windows with the listener, [batch, 160, dim]."""
        with self.adapted.using(self.listener):
            return self.adapted.encoder(self.mel).values

    @cached_property
    def said(self) -> list[Said]:
        """What the listener writes: the text in question."""
        with self.adapted.using(self.listener):
            return self.adapted.decode(self.states)

    @cached_property
    def said_later(self) -> list[Said]:
        """What it writes where all sound comes a little later."""
        moved = [np.pad(w, (LATER, 0))[: self.mel.shape[2] * 160] for w in self.waveforms]
        with self.adapted.using(self.listener):
            return self.adapted.decode(self.adapted.encoder(self.adapted.hear(moved)).values)

    @cached_property
    def said_by_others(self) -> list[list[Said]]:
        """What each other set writes, [others][batch]."""
        return [self._decode_by(name) for name in self.others]

    @cached_property
    def plain_states(self) -> Tensor:
        """What the frozen encoder makes of windows in its 30 s, [batch, 1500, dim]."""
        return self._encode_plainly(self.waveforms)

    @cached_property
    def plainly_said(self) -> list[Said]:
        """What the frozen model writes."""
        with self.adapted.plain():
            return self.adapted.decode(self.plain_states, PLAIN_TOKENS)

    @cached_property
    def explained(self) -> Tensor:
        """Mean log-probability of the text under the frozen model, [batch]."""
        with self.adapted.plain():
            return score(self.adapted, self.plain_states, self.said)

    @cached_property
    def guessed(self) -> Tensor:
        """The same where the frozen model hears silence, [batch]."""
        silence = self._encode_plainly([np.zeros_like(self.waveforms[0])])
        with self.adapted.plain():
            return score(self.adapted, silence.expand(len(self.said), -1, -1), self.said)

    def _decode_by(self, name: str) -> list[Said]:
        with self.adapted.using(name):
            return self.adapted.decode(self.adapted.encoder(self.mel).values)

    def _encode_plainly(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        adapted, device = self.adapted, self.mel.device
        sound = [torch.from_numpy(w)[None].to(device) for w in waveforms]
        with adapted.plain():
            mels = [adapted.log_mel(adapted.log_mel.pad(row)) for row in sound]
            return adapted.encoder(torch.cat(mels)).values


def score(adapted: AdaptedWhisper, states: Tensor, said: Sequence[Said]) -> Tensor:
    """Return how likely texts are with the adapters that are on.

    Args:
        adapted: Reads the tokens.
        states: [batch, states, dim].
        said: One text a row.

    Returns:
        Mean log-probability over the tokens and the end of text, [batch].
    """
    end, first = adapted.end, len(adapted.prompt) - 1
    rows = [torch.tensor([*adapted.prompt, *one.tokens, end]) for one in said]
    longest = max(map(len, rows))
    tokens = torch.stack([pad(row, (0, longest - len(row)), value=end) for row in rows])
    tokens = tokens.to(states.device)
    logits = adapted.read(states, tokens[:, :-1])[:, first:]  # [batch, tokens, vocabulary]
    each = logits.log_softmax(2).gather(2, tokens[:, first + 1 :, None])[..., 0]
    real = (
        torch.arange(each.shape[1]) < torch.tensor([len(one.tokens) + 1 for one in said])[:, None]
    )
    real = real.to(each.device)
    return (each * real).sum(1) / real.sum(1)


def likeness(texts: Sequence[Said], others: Sequence[Said]) -> Tensor:
    """Return the share of tokens that two texts have in common, in their order, [batch]."""
    pairs = zip(texts, others, strict=True)
    return torch.tensor([SequenceMatcher(None, a.tokens, b.tokens).ratio() for a, b in pairs])


def _doubt(evidence: Evidence) -> Tensor:
    return torch.tensor([-one.log_probability for one in evidence.said])


def _agreed(evidence: Evidence) -> Tensor:
    shares = [likeness(evidence.said, texts) for texts in evidence.said_by_others]
    return torch.stack(shares).mean(0)


def _sureness_of_others(evidence: Evidence) -> Tensor:
    sure = [[one.log_probability for one in texts] for texts in evidence.said_by_others]
    return torch.tensor(sure).mean(0)


def _plain_sureness(evidence: Evidence) -> Tensor:
    return torch.tensor([one.log_probability for one in evidence.plainly_said])


# Each takes the evidence and returns one number a window, [batch].
SIGNALS: Mapping[str, Callable[[Evidence], Tensor]] = {
    "doubt": _doubt,
    "tokens": lambda e: torch.tensor([float(len(one.tokens)) for one in e.said]),
    "steady": lambda e: likeness(e.said, e.said_later),
    "agreed": _agreed,
    "others": _sureness_of_others,
    "plain": _plain_sureness,
    "explained": lambda e: e.explained.cpu(),
    "informed": lambda e: (e.explained - e.guessed).cpu(),
}


@torch.inference_mode()
def weigh(evidence: Evidence, signals: Sequence[str]) -> Tensor:
    """Measure signs.

    Args:
        evidence: What is known of each window.
        signals: Names of `SIGNALS`; what no sign needs is not computed.

    Returns:
        [batch, signals].

    Raises:
        ValueError: No such sign.
    """
    if unknown := set(signals) - set(SIGNALS):
        raise ValueError(f"No signal {min(unknown)!r}; known: {', '.join(SIGNALS)}.")
    return torch.stack([SIGNALS[name](evidence).float() for name in signals], 1)
