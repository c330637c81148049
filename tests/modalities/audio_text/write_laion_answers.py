"""Write anew what laion_clap's own model makes of the sounds in laion_reference.py.

Run by hand in an environment of its own with ours and laion-clap, and what that imports:
pip install --no-deps laion-clap==1.1.7 torchlibrosa==0.1.0 h5py ftfy wcwidth wget.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from laion_reference import (  # type: ignore[import-not-found]
    ANSWERS,
    FULL_AUDIO,
    FULL_TEXT,
    SMALL_AUDIO,
    SMALL_TEXT,
    build_laion,
    clips,
    refill,
    shapes_of,
)


def main() -> None:
    small = refill(build_laion(SMALL_AUDIO, SMALL_TEXT))
    with torch.no_grad():
        found = small.get_audio_embedding([{"waveform": clip} for clip in clips()])
    full = build_laion(FULL_AUDIO, FULL_TEXT)
    told = {
        "written_by": "python tests/modalities/audio_text/write_laion_answers.py, laion-clap 1.1.7",
        "audio": [[round(value, 6) for value in row] for row in found[:, :16].tolist()],
        "small": shapes_of(small),
        "full": shapes_of(full),
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in told.items())
    ANSWERS.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
