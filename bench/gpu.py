"""What a GPU does with a folder of clips and many adapter sets, into docs/speed.md.

    python -m bench.gpu CLIPS --write

Four questions: what it is worth to read clips while the encoder works on those before; what eight
adapter sets in one batch cost; what merging costs at the shape of Whisper large; and whether the
GPU writes the same text as the CPU. `--device cpu --shape tiny` tries it out where there is none.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from bench.__main__ import PAGE
from bench.adapters import build_whisper, with_adapters
from bench.compare import Row, compare, seconds, to_markdown
from data_prep.media import read_audio
from data_prep.media.files import MEDIA, find_files
from modalities.audio.log_mel import LogMel
from tasks.avsr import AVSROptions, AVSRPipeline
from tasks.devices import find_device
from tools.marks import rewrite

SHAPES = {"tiny": (384, 4), "small": (768, 12), "large": (1280, 32)}  # width, layers of the encoder
SETS, BATCH, READERS, ROUNDS, TEXTS = 8, 16, 8, 3, 20
MARK = "gpu"


@dataclass(frozen=True)
class Bench:
    """What is measured with.

    Attributes:
        clips: Media files.
        device: Where.
        encoder: A Whisper's encoder with random weights, there.
        batch: Clips that are encoded together.
    """

    clips: Sequence[Path]
    device: torch.device
    encoder: nn.Module
    batch: int

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("clips", type=Path, metavar="CLIPS", help="a folder of media files")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", choices=SHAPES, default="large")
    parser.add_argument("--count", type=int, default=200, help="clips at most")
    parser.add_argument("--batch", type=int, default=BATCH, help="clips encoded together")
    parser.add_argument("--write", action="store_true", help="into docs/speed.md")
    given = parser.parse_args()
    try:
        clips = find_clips(given.clips, given.count)
        device = find_device(given.device)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    torch.manual_seed(0)
    bench = Bench(clips, device, build_whisper(*SHAPES[given.shape]).to(device), given.batch)
    with torch.inference_mode():
        rows = [row for part in (overlap, sets, merging) for row in part(bench)]
    text = "\n\n".join([to_markdown(rows), *describe(bench, given.shape), compare_texts(bench)])
    print(text)
    if given.write:
        rewrite(PAGE, MARK, lambda _: text)


def find_clips(folder: Path, most: int) -> list[Path]:
    """Find the media files of a folder and those below it, sorted.

    Raises:
        ValueError: There are none.
    """
    found = sorted(find_files(folder, MEDIA))
    if not found:
        raise ValueError(f"{folder} has no media files; expected a folder of clips.")
    return found[:most]


def overlap(bench: Bench) -> Iterator[Row]:
    """Read, log-mel and encode a folder: one after the other, and while the next is read."""
    log_mel = LogMel().to(bench.device)

    def encode(sounds: Sequence[np.ndarray]) -> Tensor:
        rows = torch.cat([log_mel.pad(torch.from_numpy(sound)[None]) for sound in sounds])
        if bench.device.type == "cuda":
            rows = rows.pin_memory()
        return bench.encoder(log_mel(rows.to(bench.device, non_blocking=True))).last_hidden_state

    def in_turn() -> None:
        for part in _batches(bench):
            encode([read_audio(clip) for clip in part])
            bench.wait()

    def at_once() -> None:
        with ThreadPoolExecutor(READERS) as pool:
            # The folder is read ahead by two batches, so that memory does not grow with it.
            ahead = [[pool.submit(read_audio, c) for c in part] for part in _batches(bench)[:2]]
            for part in [*_batches(bench)[2:], [], []]:
                if ahead:
                    encode([sound.result() for sound in ahead.pop(0)])
                if part:
                    ahead.append([pool.submit(read_audio, clip) for clip in part])
        bench.wait()

    in_turn()
    pairs = [(seconds(at_once), seconds(in_turn)) for _ in range(ROUNDS)]
    what = f"{len(bench.clips)} clips read, log-mel and encoder"
    ours, theirs = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(theirs / ours for ours, theirs in pairs)
    yield Row(f"{what}, speed", "one after the other", ours, theirs, "s", ratio, ">= 1.5")
    working = _time_encoder(bench, encode)
    share = working / ours
    yield Row(f"{what}: the device at work", "all the time", working, ours, "s", share, ">= 0.8")


def _time_encoder(bench: Bench, encode: Callable[[Sequence[np.ndarray]], Tensor]) -> float:
    """Return the seconds that log-mel and encoder take of all clips when these are there."""
    sounds = {clip: read_audio(clip) for clip in bench.clips[: bench.batch]}
    part = list(sounds.values())
    encode(part)
    bench.wait()
    start = time.perf_counter()
    for _ in _batches(bench):
        encode(part)
    bench.wait()
    return time.perf_counter() - start


def _batches(bench: Bench) -> list[Sequence[Path]]:
    return [bench.clips[n : n + bench.batch] for n in range(0, len(bench.clips), bench.batch)]


def sets(bench: Bench) -> Iterator[Row]:
    """Encode a batch whose rows have a set each, against one set for all."""
    adapters = with_adapters(bench.encoder, "lora", SETS)
    names = adapters.names
    mel = torch.randn(SETS, 80, 3000, device=bench.device)

    def mixed() -> None:
        with adapters.rows(names):
            bench.encoder(mel)
        bench.wait()

    def alone() -> None:
        adapters.use(names[0])
        bench.encoder(mel)
        bench.wait()

    what = f"{SETS} windows, each its own LoRA"
    yield compare(what, "one for all", mixed, alone, "<= 1.5", ROUNDS)
    for name in names:
        adapters.drop(name)


def merging(bench: Bench) -> Iterator[Row]:
    """Merge a set into the weights and take it out, against one pass of the encoder."""
    adapters = with_adapters(bench.encoder, "lora", 1)
    mel = torch.randn(1, 80, 3000, device=bench.device)

    def merge() -> None:
        adapters.merge()
        adapters.unmerge()
        bench.wait()

    def encode() -> None:
        bench.encoder(mel)
        bench.wait()

    yield compare("a LoRA merged and unmerged", "a window encoded", merge, encode, "", ROUNDS)


def describe(bench: Bench, shape: str) -> list[str]:
    """Return what was measured on, a sentence or two."""
    cuda = bench.device.type == "cuda"
    device = torch.cuda.get_device_name(bench.device) if cuda else "the CPU, to try it out"
    width, layers = SHAPES[shape]
    return [
        f"On {device}; the encoder has Whisper {shape}'s shape, {width} wide and {layers} deep, "
        f"and random weights, in batches of {bench.batch}; torch {torch.__version__}, medians of "
        f"{ROUNDS}."
    ]


def compare_texts(bench: Bench) -> str:
    """Say of how many clips the device writes the text that the CPU writes."""
    options = AVSROptions(video=False)
    texts = []
    for device in ("cpu", str(bench.device)):
        pipeline = AVSRPipeline("whisper-tiny.en", None, device, options, "torch")
        texts.append([pipeline.transcribe(clip).text for clip in bench.clips[:TEXTS]])
    same = sum(ours == theirs for ours, theirs in zip(*texts, strict=True))
    return f"Whisper tiny.en writes the CPU's text for {same} of {len(texts[0])} clips there."


if __name__ == "__main__":
    main()
