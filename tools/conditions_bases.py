"""Small U-Nets that paint digits and shapes by words, trained here and then frozen.

`python -m tools.conditions_bases` trains what is not there yet under build/conditions/bases, and
prints how many of the painted pictures show what they were told.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from fusion.conditions.condition import Condition
from fusion.conditions.injection import Injection
from fusion.contract.context import Repeats
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.measure.loss import loss
from modalities.diffusion.sampling import PLAIN, sample
from modalities.diffusion.schedule import path_of
from modalities.diffusion.small import SmallDenoiser, SmallDenoiserOptions
from modalities.network_file import load_network, save_network
from tools.conditions_judges import load_judge
from tools.conditions_pictures import DRAWERS, SIDE, Pictures
from tools.conditions_training import FOLDER, Learnt, Lesson, learn
from tools.digit_lessons import seeded

NOTHING = -1  # in place of a word: it is not told
DROPPED = 0.1  # share of rows that are told nothing, and of words that are left out
STEPS, GUIDANCE = 15, 2.0  # of sampling
AT_ONCE = 100  # pictures
DRAWN = 6000  # pictures that a base learns from
SEED = 0
Draw = Callable[[Generator, int], "Batch"]


@dataclass(frozen=True)
class BaseOptions:
    """How a base is built.

    Attributes:
        vocabulary: How many words there are.
        words: How many are told of a picture, each a token.
        times: How many its noise has.
        denoiser: Sizes of its U-Net.
    """

    vocabulary: int = 10
    words: int = 1
    times: int = 1000
    denoiser: SmallDenoiserOptions = SmallDenoiserOptions()

    def __post_init__(self):
        if isinstance(self.denoiser, Mapping):  # as it is read from a file
            given: dict[str, Any] = dict(self.denoiser)
            given.update({n: tuple(v) for n, v in given.items() if isinstance(v, list)})
            object.__setattr__(self, "denoiser", SmallDenoiserOptions(**given))


class WordBase(nn.Module):
    """A denoiser that is told words; a subclass says in `prompt` what they are to it."""

    denoiser: Any

    def prompt(self, words: Tensor) -> Prompt:
        """Say what rows are about.

        Args:
            words: int64, [rows, words]; NOTHING where a word is not told.
        """
        raise NotImplementedError

    def forward(self, noisy: Tensor, times: Tensor, words: Tensor) -> Tensor:
        """Tell the velocity of noisy latents, [rows, channels, height, width].

        Args:
            noisy: [rows, channels, height, width].
            times: [rows], or [] for all.
            words: int64, [rows, words].
        """
        return self.denoiser(noisy, times, self.prompt(words))


class Base(WordBase):
    """A small U-Net, and what each word is to it.

    Args:
        options: Its sizes.
    """

    def __init__(self, options: BaseOptions):
        super().__init__()
        self.options = options
        self.denoiser = SmallDenoiser(options.denoiser)
        self.denoiser.noise = replace(self.denoiser.noise, times=options.times)
        self.words = nn.Embedding(options.vocabulary, options.denoiser.token_dim)

    @property
    def unet(self) -> Any:
        """What injectors are built for."""
        return self.denoiser.unet

    def tokens(self, words: Tensor) -> Tensor:
        """Return tokens of words, [rows, words, token_dim].

        Args:
            words: int64, [rows, words]; NOTHING where a word is not told.
        """
        empty = self.denoiser.empty.expand(len(words), -1, -1)
        known = self.words(words.clamp(min=0))
        return torch.where((words == NOTHING)[..., None], empty, known)

    def prompt(self, words: Tensor) -> Prompt:
        """Say what rows are about: a token for each word."""
        return Prompt(self.tokens(words))

    def encode(self, values: Tensor) -> Tensor:
        """Return latents of pictures, -1 to 1, [rows, colours, height, width]."""
        return self.denoiser.codec.encode((values.expand(-1, 3, -1, -1).movedim(1, -1) + 1) / 2)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pictures, -1 to 1, [rows, colours, height, width]."""
        return to_values(self.denoiser.codec.decode(latents), self.denoiser.codec.colours)


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step learns from.

    Attributes:
        latents: Targets, [rows, channels, height, width].
        words: What they show, int64, [rows, words].
        conditions: What injectors are told.
    """

    latents: Tensor
    words: Tensor
    conditions: Sequence[Condition] = field(default_factory=tuple)


def base_sizes(side: int = SIDE, **others: Any) -> SmallDenoiserOptions:
    """Return the sizes of a small U-Net, those of the base of digits but for what is given."""
    given: dict[str, Any] = {"channels": (24, 48), "attention": (0, 1), "colours": 1, "tokens": 1}
    return SmallDenoiserOptions(
        height=side, width=side, groups=8, token_dim=32, **{**given, **others}
    )


BASES = {
    "digits": BaseOptions(10, 1, denoiser=base_sizes()),
    "shapes": BaseOptions(10, 2, denoiser=base_sizes(colours=3, tokens=2)),
    # Another clock, and other widths.
    "shapes_32": BaseOptions(
        10, 2, 400, base_sizes(32, colours=3, tokens=2, channels=(32, 64), attention=(1,))
    ),
}
LESSONS = {
    "digits": Lesson(steps=2000, rate=2e-3, warmup=100),
    "shapes": Lesson(steps=2000, rate=2e-3, warmup=100),
    "shapes_32": Lesson(steps=1500, rate=2e-3, warmup=100, batch=16),
}


def load_base(name: str, folder: Path = FOLDER / "bases") -> Base:
    """Return a frozen base, which is trained where there is no file of it.

    Args:
        name: A name of BASES.
        folder: Where bases are kept.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / f"{name}.safetensors"
    return load_or_train(Base, BaseOptions, path, lambda: train_base(name)[0])


def load_or_train(
    kind: type[nn.Module], options: type, path: Path, train: Callable[[], nn.Module]
) -> Any:
    """Return a frozen network from its file, which is written first where there is none.

    Args:
        kind: Its class.
        options: The class of its options.
        path: The file.
        train: Makes the network that is written.

    Raises:
        OSError: It cannot be written.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_network(train(), path, half=False)
    return load_network(kind, options, path).requires_grad_(False)


def train_base(
    name: str, lesson: Lesson | None = None, seed: int = SEED, drawn: int = DRAWN
) -> tuple[Base, Learnt]:
    """Train a base from a seed.

    Args:
        name: A name of BASES.
        lesson: How long and how fast; None for that of LESSONS.
        seed: Fixes weights and draws.
        drawn: How many pictures of the part that trains.
    """
    options = BASES[name]
    pictures = DRAWERS[kind_of(name)]("train", drawn, seed, options.denoiser.height)
    return train_on(pictures, options, lesson or LESSONS[name], seed)


def train_on(
    pictures: Pictures, options: BaseOptions, lesson: Lesson, seed: int = SEED
) -> tuple[Base, Learnt]:
    """Train a base on pictures and their words.

    Args:
        pictures: All that it learns from.
        options: How it is built.
        lesson: How long and how fast.
        seed: Fixes weights and draws.
    """
    base: Base = seeded(seed, lambda: Base(options))
    found = teach(base, [base], draw_plain(base, pictures), lesson, seed)
    return base.requires_grad_(False).eval(), found


def kind_of(name: str) -> str:
    """Return what a base paints, a name of DRAWERS."""
    return name.split("_")[0]


def draw_plain(base: Base, pictures: Pictures) -> Draw:
    """Return what draws batches of pictures and their words alone."""

    def draw(generator: Generator, rows: int) -> Batch:
        some = pictures.take(torch.randint(len(pictures), (rows,), generator=generator))
        return Batch(base.encode(some.values), some.words)

    return draw


def drop_words(words: Tensor, generator: Generator, share: float = DROPPED) -> Tensor:
    """Leave out a share of the words, and all words of a share of the rows.

    Args:
        words: int64, [rows, words].
        generator: Draws which.
        share: How many are left out, 0 to 1, of words and of rows alike.
    """
    each = torch.rand(words.shape, generator=generator) < share
    rows = torch.rand(len(words), 1, generator=generator) < share
    return torch.where(rows | (each & (words.shape[1] > 1)), NOTHING, words)


def teach(
    base: WordBase,
    modules: Sequence[nn.Module],
    draw: Draw,
    lesson: Lesson,
    seed: int,
    injection: Injection | None = None,
    watch: Callable[[int], None] | None = None,
    dropped: float = DROPPED,
    **measure: Any,
) -> Learnt:
    """Train a base, or injectors on a frozen one.

    Args:
        base: What paints; frozen where injectors learn.
        modules: What learns; for injectors `injection.injectors.values()`.
        draw: Makes a batch of so many rows.
        lesson: How long and how fast.
        seed: Fixes all that is drawn.
        injection: Is told the conditions of each batch; None where there are none.
        watch: Called after each step with how many were made.
        dropped: Share of words that are not told; 0 where the draw itself leaves words out.
        measure: As `modalities.diffusion.measure.loss.loss` takes it: time, weight, coupling.

    Raises:
        ValueError: The loss is no finite number, or conditions do not fit.
    """
    path = path_of(base.denoiser.noise)

    def losses(generator: Generator) -> Mapping[str, Tensor]:
        batch = draw(generator, lesson.batch)
        words = drop_words(batch.words, generator, dropped)

        def compute() -> Mapping[str, Tensor]:
            return loss(base, batch.latents, path, cond=words, generator=generator, **measure)

        if injection is None or not batch.conditions:
            return compute()
        with injection.tell(*batch.conditions):
            return compute()

    return learn(modules, losses, lesson, seed, watch)


@torch.no_grad()
def paint(
    base: WordBase,
    words: Tensor,
    seed: int = 0,
    injection: Injection | None = None,
    conditions: Sequence[Condition] = (),
    guidance: float = GUIDANCE,
    steps: int = STEPS,
    side: int | None = None,
) -> Tensor:
    """Paint a picture for each row of words, by the solver of its schedule.

    Args:
        base: In evaluation mode.
        words: int64, [rows, words]; NOTHING where a word is not told.
        seed: Row n is painted from the noise of seed + n.
        injection: What stands on the base.
        conditions: What it is told, a row for each picture.
        guidance: How far to go from what is painted without words to what is with them; 1 takes
            the latter at half the cost.
        steps: How often the base looks.
        side: Height and width in pixels; None for the base's own.

    Returns:
        -1 to 1, [rows, colours, height, width].
    """
    seeds, text = range(seed, seed + len(words)), base.prompt(words)
    size = None if side is None else (side, side)
    guided = guidance != PLAIN

    def run() -> Tensor:
        found = sample(base.denoiser, seeds, None, None, steps, guidance, size, text=text)
        return to_values(found, base.denoiser.codec.colours)

    if injection is None or not conditions:
        return run()
    with injection.tell(*conditions, repeats=Repeats(whole=2) if guided else Repeats()):
        return run()


def to_values(pictures: Tensor, colours: int) -> Tensor:
    """Return pictures of 0..1, [rows, height, width, 3], as -1 to 1, [rows, colours, ...]."""
    return (2 * pictures.movedim(-1, 1) - 1)[:, :colours]


def build_solver(base: Base, steps: int) -> Any:
    """Return what samples a base in so many steps; each sampling needs one of its own."""
    denoiser, (height, width) = base.denoiser, base.denoiser.side
    tokens = denoiser.count_tokens(height, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of numpy 2, for diffusers
        return denoiser.noise.begin(steps, denoiser.device, denoiser.codec.bounded, tokens)


def main() -> None:
    """Train the bases, and say how good they are."""
    torch.set_num_threads(1)
    for name in BASES:
        base = load_base(name)
        side = base.options.denoiser.height
        test, judge = DRAWERS[kind_of(name)]("test", 500, 1, side), load_judge(kind_of(name), side)
        painted = paint(base, test.words)
        told = ", ".join(f"{one:.1f} %" for one in judge.score(painted, test.words))
        print(f"{name}: {sum(p.numel() for p in base.parameters()):,} weights; {told} are as told")


if __name__ == "__main__":
    main()
