"""Mix babble into a clip: `python -m tools.mix_babble CLIP OUT.mp4 --snr 0`, as `make demo` does.

The babble is the clip's own sound, shifted, so that nothing else is needed.
"""

import argparse
from pathlib import Path

import av
import numpy as np

from data_prep.media import read_audio
from data_prep.noise import mix
from data_prep.noise.mixing import cut
from modalities.rates import RATE_HZ
from modalities.whole_file import replace_when_whole

VOICES = 6


def main() -> None:
    """Write the noisy clip: pictures as they were, sound anew."""
    parser = argparse.ArgumentParser(prog="python -m tools.mix_babble", description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--snr", type=float, default=0.0, help="decibels")
    given = parser.parse_args()
    speech = read_audio(given.clip)
    shifts = [(n + 1) * len(speech) // (VOICES + 1) for n in range(VOICES)]
    babble = np.sum([cut(speech, len(speech), shift) for shift in shifts], 0)
    write_with_sound(given.clip, mix(speech, babble, given.snr).waveform, given.output)


def write_with_sound(clip: Path, waveform: np.ndarray, output: Path) -> None:
    """Copy a clip's pictures and give them another sound.

    Args:
        clip: With pictures.
        waveform: float32 [samples], 16 kHz.
        output: An .mp4; it appears when it is whole.
    """
    with (
        replace_when_whole(output) as partial,
        av.open(str(clip)) as source,
        av.open(str(partial), "w") as target,
    ):
        pictures = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=RATE_HZ, layout="mono")
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                target.mux(packet)
        samples = np.round(waveform * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = RATE_HZ
        for packet in [*sound.encode(frame), *sound.encode(None)]:
            target.mux(packet)


if __name__ == "__main__":
    main()
