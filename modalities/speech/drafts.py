"""Greedy decoding by a draft: what it guesses right is taken, the first wrong token is mended."""

from collections.abc import Callable, Sequence

import numpy as np

from modalities.speech.engine import Attempt, cycles
from modalities.speech.token_rules import TokenRules, choose_token, log_sum
from modalities.speech.vocabulary import Vocabulary

ROWS = 128  # of scores that are held at once; each is as long as the vocabulary
REACH = 4  # tokens that a guess may have too many
PUNCTUATION = 15  # tokens below it are no letters, in every Whisper
Score = Callable[[np.ndarray], np.ndarray]


class Draft:
    """What has been decoded so far, token by token as the model itself chooses.

    Args:
        rules: What may be said.
        vocabulary: What tokens stand for.
        prompt: How many tokens come before the text.
        most: The most tokens.
        circles: Whether to go on where it goes round in circles.
    """

    def __init__(
        self, rules: TokenRules, vocabulary: Vocabulary, prompt: int, most: int, *, circles: bool
    ):
        self.rules = rules
        self.vocabulary = vocabulary
        self.prompt = prompt
        self.most = most
        self.circles = circles
        self.said: list[int] = []
        self.ended = False
        self.total = 0.0
        self.no_speech = 0.0

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be said."""
        full = len(self.said) >= self.most
        return self.ended or full or (not self.circles and cycles(self.said))

    def follow(self, guess: Sequence[int], rows: np.ndarray, score: Score) -> list[int]:
        """Take what a guess has right, and one token more.

        Args:
            guess: Tokens after the prompt; it begins with what was said.
            rows: What the decoder makes of the prompt and the guess, [tokens, dim].
            score: Gives the logits of rows, [tokens, vocabulary].

        Returns:
            A better guess: what follows a wrong token there is often right, another time of the
            same pause, say, or a comma more.
        """
        asks = self.prompt - 1 + len(self.said)  # the row that says what comes next
        first = asks if self.said else 0
        chosen = list(guess[: len(self.said)])
        holds = True
        for start in range(first, len(rows), ROWS):
            for number, logits in enumerate(score(rows[start : start + ROWS]), start):
                if number == 0:
                    self._hear_silence(logits)
                if number < asks or self.finished:
                    continue
                if holds:
                    chosen.append(self._say(logits))
                    holds = not self.finished and self._is_guessed(guess)
                else:
                    before = guess[: number + 1 - self.prompt]
                    chosen.append(choose_token(self.rules, logits, before)[0])
        return self.said if self.finished else self._mend(guess, chosen)

    def _mend(self, guess: Sequence[int], chosen: Sequence[int]) -> list[int]:
        """Bring what was chosen after each token of a guess into it, where it fits."""
        at = len(self.said) - 1
        mended = self.said[:at]
        while at < min(len(guess), len(chosen)):
            old, new = guess[at], chosen[at]
            sure = len(mended) < len(self.said)  # what is chosen after a wrong token need not be
            twice = list(guess[at + 1 : at + 2]) == [old]  # an end, and the start of what follows
            if old == new:
                mended.append(old)
            elif skipped := self._count_needless(guess[at : at + REACH], new):
                at += skipped
                mended.append(new)
            elif self._is_time(old) and self._is_time(new):
                mended += [new, new] if twice else [new]
                at += twice
            elif self._is_time(new):
                mended += [new, new, old]
            elif new < PUNCTUATION:
                mended += [new, old]
            else:
                mended.append(new if sure else old)
            at += 1
        return mended if len(mended) > len(self.said) else self.said

    def _is_time(self, token: int) -> bool:
        return token >= self.rules.first_timestamp

    def _count_needless(self, near: Sequence[int], wanted: int) -> int:
        """Count the times and points that a guess has before a token that was wanted at once."""
        count = 0
        while count < len(near) and (self._is_time(near[count]) or near[count] < PUNCTUATION):
            count += 1
        return count if wanted in near[count : count + 1] else 0

    def attempt(self) -> Attempt:
        """Return what was decoded."""
        return Attempt(self.said, self.total / (len(self.said) + self.ended), self.no_speech)

    def _hear_silence(self, logits: np.ndarray) -> None:
        self.no_speech = float(np.exp(logits[self.vocabulary.no_speech] - log_sum(logits)))

    def _is_guessed(self, guess: Sequence[int]) -> bool:
        count = len(self.said)
        return len(guess) >= count and guess[count - 1] == self.said[-1]

    def _say(self, logits: np.ndarray) -> int:
        token, log_probability = choose_token(self.rules, logits, self.said)
        self.total += log_probability
        self.ended = token == self.rules.end_of_text
        if not self.ended:
            self.said.append(token)
        return token
