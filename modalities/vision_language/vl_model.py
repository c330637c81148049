"""A frozen language model that answers questions about pictures, in three steps."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from modalities.encoder import FrozenEncoder
from modalities.tensor_hash import hash_frozen
from modalities.vision_language.catalog import FAMILIES
from modalities.vision_language.tokens import Tokens, tokenize, words_of
from modalities.vision_language.visual_embedding import VisualEmbedding

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST = 20  # tokens of a question, and of what is written, in the published runs


class Encoded(NamedTuple):
    """What the encoder makes of texts and pictures.

    Attributes:
        states: [batch, text + tokens, dim]; before them the prompts of an adapter that keeps some.
        mask: [batch, text + tokens], 1 where real; and as much longer.
    """

    states: Tensor
    mask: Tensor


class VisionLanguage(FrozenEncoder):
    """A BART or T5 of transformers and the embedding that shows it pictures, all frozen.

    Whatever trains turns gradients on again where they are wanted: of adapters, norms, and the
    visual embedding.

    Args:
        model: BartForConditionalGeneration or T5ForConditionalGeneration, used as it is. The last
            rows of its token table are taken for places in pictures.
        visual_embedding: As wide as the model.
        tokenizer: Belongs to the model; without one, texts are given and returned as ids.
        name: What was asked for; error messages say it.

    Source:
        Sung et al. (2022, arXiv 2112.06825); Cho et al. (2021, arXiv 2102.02779).
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        visual_embedding: VisualEmbedding,
        tokenizer: "PreTrainedTokenizerBase | None" = None,
        name: str = "vision_language",
    ):
        super().__init__()
        self._model_config: Any = model.config  # PEFT takes what has a "config" for transformers'
        self.model: Any = model
        self.visual_embedding = visual_embedding
        self.tokenizer, self.name = tokenizer, name
        self.family = FAMILIES[self._model_config.model_type]
        self.freeze()

    @property
    def words(self) -> Tensor:
        """The one table of tokens, [vocabulary, dim]."""
        return self.model.get_input_embeddings().weight

    @property
    def opening(self) -> tuple[int, ...]:
        """The ids that the decoder is given before the first word of an answer."""
        return self.family.opening(self._model_config)

    @cached_property
    def identity(self) -> str:
        """A hash of the frozen weights and the tokenizer's words; ask before adapters are in."""
        told = repr((hash_frozen(self.state_dict()), words_of(self.tokenizer)))
        return hashlib.sha256(told.encode()).hexdigest()

    def tokenize(self, texts: Sequence[str], longest: int | None = LONGEST) -> Tokens:
        """Turn texts into numbers; what is longer than `longest` tokens is cut at its end.

        None cuts only what the model has no positions for.
        """
        assert self.tokenizer is not None
        most = self.family.longest_text(self._model_config)
        limits = [limit for limit in (longest, most) if limit is not None]
        return tokenize(self.tokenizer, texts, min(limits, default=None))

    def see(
        self, features: Tensor, image_order: Tensor | None = None, boxes: Tensor | None = None
    ) -> Tensor:
        """Turn features, [batch, tokens, feature_dim], into visual tokens, [batch, tokens, dim].

        The rest is as in `VisualEmbedding`.
        """
        return self.visual_embedding(features, self.words, image_order, boxes)

    def encode(
        self,
        ids: Tensor,
        mask: Tensor,
        features: Tensor | None = None,
        image_order: Tensor | None = None,
        real: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> Encoded:
        """Encode texts together with pictures.

        Args:
            ids: Texts, as `tokenize` returns them, [batch, text].
            mask: 1 where they are real, [batch, text].
            features: [batch, tokens, feature_dim]; one row is shown to all texts, and embedded
                once. None shows nothing.
            image_order: Which picture each token is of, [tokens] or [batch, tokens].
            real: True where a token is no padding, [batch, tokens]; None says that all are real.
            boxes: Where each token lies in its picture, [batch, tokens, 4].

        Raises:
            ValueError: Features that do not fit the model or the texts, or a text without end.
        """
        self._check(ids, mask, features, real)
        if features is None:
            features = ids.new_zeros(1, 0, self.visual_embedding.feature_dim).float()
        visual = self.see(features, image_order, boxes).expand(len(ids), -1, -1)
        if real is None:
            real = mask.new_ones(1, visual.shape[1])
        seen = real.to(mask.dtype).expand(len(ids), -1)
        mask = torch.cat([mask, seen], 1)
        states = self.family.encode(self.model, ids, mask, visual)
        added = states.shape[1] - mask.shape[1]  # learned prompts that an adapter keeps in front
        return Encoded(states, pad(mask, (added, 0), value=1))

    def logits(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Score targets, each word given those before it.

        Args:
            encoded: As many rows as targets.
            targets: Ids with their marks, as `tokenize` returns them, [batch, length]; padding may
                be -100.

        Returns:
            Of each place of the targets, [batch, length, vocabulary].
        """
        return self._decode(encoded, self.model.prepare_decoder_input_ids_from_labels(targets))

    def choose(self, encoded: Encoded, choices: Sequence[str] = ("true", "false")) -> Tensor:
        """Score what an answer may begin with, without writing anything.

        Args:
            encoded: Statements and the pictures they are about, [batch, ...].
            choices: Answers that differ in their first token.

        Returns:
            Logits of the first token of each at the place of an answer's first word: 1 in BART,
            whose answers all begin with a mark, 0 in T5. [batch, choices].

        Raises:
            ValueError: Two choices begin alike, or one is empty.
        """
        firsts = self._first_ids(choices)
        opening = torch.tensor([self.opening], device=encoded.states.device)
        given = opening.expand(len(encoded.states), -1)
        return self._decode(encoded, given)[:, len(self.opening) - 1, firsts]

    def generate(self, encoded: Encoded, longest: int = LONGEST, beams: int = 1) -> Tensor:
        """Write answers or captions with transformers' own search.

        Args:
            encoded: Stays as it is.
            longest: Tokens of each at most, the marks at both ends among them. 20 cuts captions as
                the published scores did; 40 lets nearly all of them end.
            beams: 1 is greedy.

        Returns:
            Ids, the start among them, padded behind their end, [batch, at most longest].

        Raises:
            ValueError: The model has no places for so many.
        """
        return self._search(encoded, longest, beams)

    def rank(
        self, encoded: Encoded, count: int, longest: int = LONGEST
    ) -> list[list[tuple[str, float]]]:
        """Write the likeliest answers, as far as a beam search finds them.

        Args:
            encoded: Stays as it is.
            count: How many of each, 1 or more; the search is twice as wide, and 4 at least.
            longest: Tokens of each at most, the marks at both ends among them.

        Returns:
            Of each row its answers, likeliest first, and how likely exactly these tokens are, 0 to
            1. Two of them may read alike where their tokens differ.
        """
        found = self._search(
            encoded,
            longest,
            max(4, 2 * count),
            num_return_sequences=count,
            length_penalty=0.0,  # sums of log-probabilities, not means over tokens
            output_scores=True,
            return_dict_in_generate=True,
        )
        texts = self.spell(found.sequences)
        shares = [float(share) for share in found.sequences_scores.exp()]
        pairs = list(zip(texts, shares, strict=True))
        return [pairs[start : start + count] for start in range(0, len(pairs), count)]

    def spell(self, ids: Tensor | list[list[int]]) -> list[str]:
        """Turn ids, [batch, length], into texts without marks and outer spaces."""
        assert self.tokenizer is not None
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def respell(self, texts: Sequence[str]) -> list[str]:
        """Return texts as the model would write them, which may know small letters alone.

        What it has no tokens for stays as it is. Texts of any length; none gives none.
        """
        assert self.tokenizer is not None
        if not texts:
            return []
        ids: Any = self.tokenizer(list(texts), verbose=False)["input_ids"]
        unknown = self.tokenizer.unk_token_id
        return [
            text if unknown is not None and unknown in some else spelt
            for text, some, spelt in zip(texts, ids, self.spell(ids), strict=True)
        ]

    def check_longest(self, longest: int) -> None:
        """Check that the model has places for so many tokens of an answer, marks among them.

        Raises:
            ValueError: It has fewer.
        """
        most = self.family.longest_text(self._model_config)
        if most is not None and longest > most:
            raise ValueError(
                f"Captions of up to {longest} tokens are asked for; {self.name} has places for "
                f"{most}. Give {most} or fewer."
            )

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        targets: Tensor,
        features: Tensor | None = None,
        image_order: Tensor | None = None,
    ) -> Tensor:
        """Encode texts and pictures, and score targets: [batch, length, vocabulary]."""
        return self.logits(self.encode(ids, mask, features, image_order), targets)

    def _search(self, encoded: Encoded, longest: int, beams: int, **more: Any) -> Any:
        """Write with transformers' own search, which `more` says the rest of."""
        from transformers.modeling_outputs import BaseModelOutput

        self.check_longest(longest)
        # A copy: beam search repeats the states inside what it is given.
        states = BaseModelOutput(last_hidden_state=encoded.states)  # type: ignore[arg-type]
        return self.model.generate(
            encoder_outputs=states,
            attention_mask=encoded.mask,
            max_length=longest,
            num_beams=beams,
            do_sample=False,
            # All targets of BART begin with this mark; a model that learns little may not know.
            forced_bos_token_id=self.opening[1] if len(self.opening) > 1 else None,
            **more,
        )

    def _decode(self, encoded: Encoded, given: Tensor) -> Tensor:
        return self.model(
            encoder_outputs=(encoded.states,),
            attention_mask=encoded.mask,
            decoder_input_ids=given,
            use_cache=False,
        ).logits

    def _check(
        self, ids: Tensor, mask: Tensor, features: Tensor | None, real: Tensor | None
    ) -> None:
        """Refuse what transformers would fill up, cut, or read beyond its tables."""
        most = self.family.longest_text(self._model_config)
        if most is not None and ids.shape[1] > most:
            raise ValueError(
                f"A text of {ids.shape[1]} tokens; {self.name} has positions for {most}. Cut it "
                "with `tokenize`."
            )
        if mask.shape != ids.shape:
            raise ValueError(
                f"A mask of {list(mask.shape)} for texts of {list(ids.shape)}; expected the same. "
                "Take both from `tokenize`."
            )
        if features is not None and len(features) not in (1, len(ids)):
            raise ValueError(
                f"Features of {len(features)} rows for {len(ids)} texts; expected as many, or one "
                "row for all."
            )
        tokens = 0 if features is None else features.shape[1]
        if real is not None and real.shape[1] != tokens:
            raise ValueError(
                f"A mask of {real.shape[1]} for features of {tokens} tokens; expected one for each."
            )

    def _first_ids(self, choices: Sequence[str]) -> list[int]:
        assert self.tokenizer is not None
        found = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in choices]
        firsts = [ids[0] for ids in found if ids]
        if len({*firsts}) < len(choices):
            raise ValueError(
                f"Choices {list(choices)}, of which some begin with the same token or are empty; "
                "expected a different first token of each. Write them out with `generate` instead."
            )
        return firsts
