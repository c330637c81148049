"""Many adapter sets at once: in one batch, many loaded, over one encoding, and in one bank."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from bench.compare import Row, compare
from bench.media import DEMO
from data_prep.media import read_audio
from fusion.adapters.interface import Adapters, attach
from fusion.audio_visual.by_row import RowFusion
from fusion.routing.bank import attach_bank
from fusion.serving.expert_map import ExpertMap
from fusion.serving.shared_cache import EXACT, NON_SHARED, SharedCache
from modalities.rates import PIECE_PICTURES, PIECE_SAMPLES
from modalities.speech.step_decoder import StepState
from modalities.speech.whisper import load_whisper
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Sight
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser

MODEL, SETS = "whisper-tiny.en", "grid"
UTTERANCES, MANY, READ = 8, 40, 12
SHARED, RANK, DECODER = 5, 8, tuple(f"decoder.{role}" for role in "qkvo")
DIM, EXPERTS, CLIPS, TOKENS, TENANTS, OWN = 384, 8, 4, 1500, 4, 2
RUNS = 9


def rows(given: Namespace) -> list[Row]:
    """Time batches in turn, and count what caches keep."""
    torch.manual_seed(0)
    with torch.inference_mode():
        return [*_batches(), *_caches(), _rerouting()]


def _batches() -> list[Row]:
    recogniser = load_recogniser(MODEL, SETS, "cpu")
    names = list(recogniser.collection.sets)[:UTTERANCES]
    what = f"{len(names)} utterances of {len(names)} different sets in one batch"
    read = _Batch(recogniser, names)
    alike = _Batch(recogniser, names[1:2] * len(names))
    one_set = f"the same {len(names)} with one set"
    found = [
        compare(what, one_set, read.mixed, alike.mixed, "<= 1.2", RUNS),
        compare(what, "the same by PEFT's adapter_names", read.mixed, read.by_peft, "", RUNS),
    ]
    many = load_recogniser(MODEL, SETS, "cpu")
    folders = list(many.sets.folders.values())
    for number in range(MANY - len(folders)):
        many.sets.add(f"more{number}", folders[number % len(folders)])
        with many.sets.held([f"more{number}"]):
            pass
    loaded = f"{what}, {len(many.sets.loaded)} sets loaded"
    peer = f"{len(folders)} sets loaded"
    ours = _Batch(many, names)
    return [*found, compare(loaded, peer, ours.mixed, read.mixed, "<= 1.05", RUNS)]


class _Batch:
    """Encodes and reads windows of speech, each with lips and a set: the same work for any sets."""

    def __init__(self, recogniser: SetRecogniser, names: Sequence[str]):
        self.adapted, self.names, rows = recogniser.adapted, names, len(names)
        sound = read_audio(DEMO)
        starts = [row * (len(sound) - PIECE_SAMPLES) // rows for row in range(rows)]
        self.mel = self.adapted.hear([sound[start : start + PIECE_SAMPLES] for start in starts])
        mask = torch.ones(rows, PIECE_PICTURES, dtype=torch.bool)
        lips = torch.randn(rows, PIECE_PICTURES, 256)
        self.sight = Sight(mask, lips, torch.rand(rows, PIECE_PICTURES))
        self.fusion = RowFusion([recogniser.fusions[name] for name in names])

    def mixed(self) -> None:
        """Run it with our rows."""
        with self.adapted.using(*self.names):
            self._run()

    def by_peft(self) -> None:
        """Run it with PEFT's loop over the adapters of a batch, in the same layers."""
        with _peft_rows(self.adapted.model, self.names):
            self._run()

    def _run(self) -> None:
        adapted, rows = self.adapted, len(self.names)
        states, _ = adapted.encode(self.mel, self.sight, self.fusion)
        _read(adapted, adapted.steps.start(states), rows)


def _read(adapted: AdaptedWhisper, state: StepState, rows: int) -> None:
    """Read the prompt and a text, token by token."""
    tokens = torch.tensor([adapted.prompt] * rows)
    for _ in range(READ):
        adapted.steps.logits(adapted.steps.read(state, tokens)[:, -1])
        tokens = tokens[:, -1:]


@contextmanager
def _peft_rows(model: nn.Module, names: Sequence[str]) -> Iterator[None]:
    """Tell PEFT's layers which adapter each row has, as its models do in a forward."""
    from peft.tuners.lora import LoraLayer

    def tell(layer: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, kwargs | {"adapter_names": list(names)}

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    hooks: list[Any] = [
        layer.register_forward_pre_hook(tell, with_kwargs=True)  # type: ignore[attr-defined]
        for layer in layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _caches() -> list[Row]:
    whisper = load_whisper(MODEL)
    adapted, names = AdaptedWhisper(whisper), [f"set{number}" for number in range(SHARED)]
    with torch.inference_mode(mode=False):
        for name in names:
            _attach_lora(adapted.adapters, name)
    waveform = torch.from_numpy(read_audio(DEMO))[None]
    mel = adapted.log_mel(adapted.log_mel.pad(waveform))
    shared = SharedCache(adapted.steps, adapted.adapters, names, EXACT)
    apart = SharedCache(adapted.steps, adapted.adapters, names, NON_SHARED)

    def start(cache: SharedCache) -> StepState:
        return cache.start(cache.encode(lambda sound: adapted.encoder(sound).values, mel))

    def decode() -> None:
        with shared.rows():
            _read(adapted, start(shared), SHARED)

    def each() -> None:
        for name in names:
            with adapted.using(name):
                _read(adapted, adapted.steps.start(adapted.encoder(mel).values), 1)

    ours, theirs = (sum(start(c).cross_bytes().values()) / 2**20 for c in (shared, apart))
    formula = 1 / SHARED + RANK / whisper.model.config.d_model
    peer, ratio = f"{SHARED} encodings", ours / theirs
    target = f"1/N + r/d_out = {formula:.3f} within 5 %; here {100 * (ratio / formula - 1):+.1f} %"
    what = f"{SHARED} decoder-only sets over one encoding"
    return [
        Row(f"memory of {what}", peer, ours, theirs, "MB", ratio, target),
        compare(f"{what}, a window of 30 s", peer, decode, each, "", RUNS),
    ]


def _attach_lora(adapters: Adapters, name: str) -> None:
    attach(adapters.model, "lora", {"rank": RANK}, DECODER, name=name)
    with torch.no_grad():
        for parameter in adapters.parameters(name):
            parameter.normal_(std=0.02)
    adapters.use(None)


def _rerouting() -> Row:
    """One linear layer, its gates and experts, and rows of several tenants."""
    model = nn.Sequential(nn.Linear(DIM, DIM))
    options = {"experts": EXPERTS, "k": 2, "rank": RANK, "router_start": "normal"}
    with torch.inference_mode(mode=False):
        bank = attach_bank(model, options, ["0"])
        for parameter in bank.parameters():
            nn.init.normal_(parameter, std=0.02)
    model.eval().requires_grad_(False)
    experts = ExpertMap(bank)
    (site, adapter), *_ = bank.sites.items()
    for tenant in range(TENANTS):
        numbers = torch.randperm(EXPERTS)[:OWN].tolist()
        own = {
            number: {
                name: torch.randn_like(t) for name, t in adapter.experts.expert(number).items()
            }
            for number in numbers
        }
        experts.load(f"tenant{tenant}", {site: own})
    hidden = torch.randn(CLIPS, TOKENS, DIM)
    names = [f"tenant{row % TENANTS}" for row in range(CLIPS)]

    def rerouted() -> None:
        with experts.rows(names):
            model(hidden)

    what = (
        f"{EXPERTS} LoRA experts, k 2, rank {RANK}, d {DIM}, {CLIPS} rows of {TOKENS} tokens, each "
        f"of a tenant with {OWN} experts of its own"
    )
    return compare(
        what, "the bank's own experts for all", rerouted, lambda: model(hidden), "<= 1.05", 2 * RUNS
    )
