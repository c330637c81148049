"""mcgurk probe."""

import json
from dataclasses import asdict

from tasks.cli.options import AsJson, MediaPath


def probe(file: MediaPath, as_json: AsJson = False) -> None:
    """Show streams, sizes, rates and starts of a media file."""
    from data_prep.media import probe as probe_media

    info = asdict(probe_media(file))
    info["path"] = str(info["path"])
    if as_json:
        print(json.dumps(info, ensure_ascii=False))
        return
    tracks = info.pop("tracks")
    rows = _rows(info)
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        print(f"{key:{width}}  {value}")
    for track in tracks:
        name = f"track {track['index']}"
        print(f"{name:{width}}  {_line(track)}")


def _line(track: dict) -> str:
    """Say what is known of a track, and whether it is the one that is read."""
    told = [track["kind"], track["codec"] or "no decoder", track["language"], track["title"]]
    if track["rate_hz"]:
        told.append(f"{track['rate_hz']:g} Hz")
    if track["channels"]:
        told.append(f"{track['channels']} channel{'s' * (track['channels'] > 1)}")
    told += ["default"] * track["default"] + ["taken"] * track["taken"]
    return ", ".join(word for word in told if word)


def _rows(info: dict, prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in info.items():
        if isinstance(value, dict):
            rows += _rows(value, f"{prefix}{key} ")
        else:
            shown = "none" if value is None else str(value)
            rows.append((f"{prefix}{key}", f"{value:.3f}" if isinstance(value, float) else shown))
    return rows
