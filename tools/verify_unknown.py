"""Fit to the shipped sets what accepts their texts of unknown talkers, and ship it with them.

python -m tools.verify_unknown
"""

from pathlib import Path
from typing import Annotated

import typer

from modalities.network_file import save_network
from tasks.avsr.sets.collection import VERIFICATION, find_collection
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.collect import verify
from tasks.avsr.training.collect_config import CollectConfig
from tasks.config import read_config

CONFIG = Path("configs/avsr/grid_collection.yaml")


def main(
    changes: Annotated[list[str] | None, typer.Argument(help="key=value ...")] = None,
    sets: str = "grid",
    config: Path = CONFIG,
) -> None:
    """Fit, and write beside what says which sound is known."""
    read = read_config(CollectConfig, config, changes or [])
    folder = find_collection(sets)
    training = load_clips(find_clips(read.data, read.data.train), read.data.folder)
    verifier = verify(read, training, folder, lambda done, total: print(done, total, flush=True))
    save_network(verifier, folder / VERIFICATION)


if __name__ == "__main__":
    typer.run(main)
