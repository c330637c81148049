"""Greedy decoding by a draft: what it guesses right is taken, the first wrong token is mended."""

from collections.abc import Callable, Sequence

import numpy as np

from modalities.speech.engine import Attempt, cycles
from modalities.speech.token_rules import TokenRules, choose_token, log_sum
from modalities.speech.vocabulary import Vocabulary

ROWS = 128  # of scores that are held at once; each is as long as the vocabulary
REACH = 4  # tokens that a guess may have too many
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

    def follow(self, guess: Sequence[int], rows: np.ndarray, score: Score) -> None:
        """Take what a guess has right, and one token more.

        Args:
            guess: Tokens after the prompt; it begins with what was said.
            rows: What the decoder makes of the prompt and the guess, [tokens, dim].
            score: Gives the logits of rows, [tokens, vocabulary].
        """
        asks = self.prompt - 1 + len(self.said)  # the row that says what comes next
        first = asks if self.said else 0
        for start in range(first, len(rows), ROWS):
            for number, logits in enumerate(score(rows[start : start + ROWS]), start):
                if number == 0:
                    self._hear_silence(logits)
                if number < asks:
                    continue
                self._say(logits)
                if self.finished or not self._is_guessed(guess):
                    return

    def mend(self, guess: Sequence[int]) -> list[int]:
        """Put the token that a guess had wrong last into it, and keep what follows it there.

        That is often right: another time of the same pause, say, or a comma more or less.
        """
        here = len(self.said) - 1
        right, rest = self.said[here], list(guess[here:])
        if right in rest[:REACH]:  # it said something more before
            rest = rest[rest.index(right) :]
        elif rest and rest[0] >= self.rules.first_timestamp <= right:
            # The end of a stretch is the start of the next one.
            rest = [right if token == rest[0] else token for token in rest]
        return [*self.said, *rest[1:]]

    def attempt(self) -> Attempt:
        """Return what was decoded."""
        return Attempt(self.said, self.total / (len(self.said) + self.ended), self.no_speech)

    def _hear_silence(self, logits: np.ndarray) -> None:
        self.no_speech = float(np.exp(logits[self.vocabulary.no_speech] - log_sum(logits)))

    def _is_guessed(self, guess: Sequence[int]) -> bool:
        count = len(self.said)
        return len(guess) >= count and guess[count - 1] == self.said[-1]

    def _say(self, logits: np.ndarray) -> None:
        token, log_probability = choose_token(self.rules, logits, self.said)
        self.total += log_probability
        self.ended = token == self.rules.end_of_text
        if not self.ended:
            self.said.append(token)
