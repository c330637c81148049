"""What was recognised, clip by clip, in a file that a run which was killed goes on with."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data_prep.noise import Scene
from fusion.scenarios.classifier import Scenario
from modalities.whole_file import replace_when_whole

RESULTS, SETTINGS = "results.jsonl", "settings.json"
SELECTOR_FILES = "selector_files"  # the one setting that may change
RIGHT, WRONG, NO_VIDEO = "right", "wrong", "none"
Key = tuple[str, str, float | None, str | None, str]


@dataclass(frozen=True)
class Result:
    """One clip in one condition, recognised in one way.

    Attributes:
        clip: Id.
        condition: Name of the noise, or "clean".
        category: Category of the noise; None for clean speech.
        snr_db: Signal-to-noise ratio; None for clean speech.
        adapter_set: The set that was on; None for the frozen model.
        video: "right", "wrong" (another clip's face) or "none".
        hypothesis: As the model wrote it.
        reference: What was said.
        agreement: Probability that lips and sound belong together, 0 to 1; None where none were
            compared.
        face: Id of the clip whose face was shown instead, or None.
        scenario: What the selector heard, or None.
        chosen: Set that it chooses, by group; None for the frozen model.
        scene: The noise: recordings, offsets, room; None for clean speech.
        seed: The evaluation's, which the noise was drawn with.
    """

    clip: str
    condition: str
    category: str | None
    snr_db: float | None
    adapter_set: str | None
    video: str
    hypothesis: str
    reference: str
    agreement: float | None = None
    face: str | None = None
    scenario: Scenario | None = None
    chosen: dict[str, str | None] = field(default_factory=dict)
    scene: Scene | None = None
    seed: int = 0

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return self.clip, self.condition, self.snr_db, self.adapter_set, self.video

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Result":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        try:
            data: dict[str, Any] = json.loads(line)
            scenario, scene = data.pop("scenario"), data.pop("scene")
            return cls(
                **data,
                scenario=Scenario(**scenario) if scenario else None,
                scene=Scene.from_json(scene) if scene else None,
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"is no result ({error})") from error


class ResultFile:
    """Results on disk and in memory.

    A last line without its end is what a killed run was writing; it is cut off.

    Args:
        path: The file that results are added to; it need not be there yet.

    Raises:
        OSError: It cannot be read or written.
        ValueError: A line is damaged.
    """

    def __init__(self, path: Path):
        self.path = path
        self.by_key: dict[Key, Result] = {}
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        self.lines = whole.count(b"\n")
        for number, line in enumerate(whole.decode().split("\n")[:-1], 1):
            try:
                result = Result.from_json(line)
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number} {error}; expected what an evaluation wrote. Remove the "
                    "line, or the file."
                ) from error
            self.by_key[result.key] = result
        if len(whole) < len(data):
            with path.open("r+b") as file:
                file.truncate(len(whole))

    def append(self, results: Iterable[Result]) -> None:
        """Write results at once, so that none of them is lost.

        Raises:
            OSError: The file cannot be written.
        """
        new = list(results)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{result.to_json()}\n" for result in new))
        self.lines += len(new)
        self.by_key |= {result.key: result for result in new}

    def forget_choices(self) -> None:
        """Take out what a selector made of the clips; what the sets recognised stays.

        Raises:
            OSError: The file cannot be written.
        """
        self.by_key = {
            key: replace(result, scenario=None, chosen={}) for key, result in self.by_key.items()
        }
        self._write_anew()

    def tidy(self) -> None:
        """Leave one line for each result where a later one has replaced another.

        Raises:
            OSError: The file cannot be written.
        """
        if self.lines > len(self.by_key):
            self._write_anew()

    def _write_anew(self) -> None:
        with (
            replace_when_whole(self.path) as partial,
            partial.open("w", encoding="utf-8") as file,
        ):
            file.writelines(f"{result.to_json()}\n" for result in self.by_key.values())
        self.lines = len(self.by_key)


def open_results(folder: Path, settings: dict[str, Any]) -> ResultFile:
    """Open the results of an evaluation, to begin it or to go on with it.

    Where only the selector has changed, what the sets recognised stays and the choices go.

    Args:
        folder: Made where missing.
        settings: All that results depend on, as JSON has it; written beside them.

    Raises:
        OSError: The folder cannot be written.
        ValueError: It holds results of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SETTINGS
    settings = json.loads(json.dumps(settings))
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        _check_same(folder, before, {**settings, SELECTOR_FILES: before.get(SELECTOR_FILES)})
        results = ResultFile(folder / RESULTS)
        if before != settings:
            results.forget_choices()
            _write_settings(path, settings)
        return results
    if (folder / RESULTS).exists():
        raise ValueError(
            f"{folder} has {RESULTS} without {SETTINGS}, so it cannot be told what of. Give "
            "another output folder, or remove it."
        )
    _write_settings(path, settings)
    return ResultFile(folder / RESULTS)


def _write_settings(path: Path, settings: dict[str, Any]) -> None:
    with replace_when_whole(path) as partial:
        partial.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _check_same(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [
        f"{key} was {json.dumps(before.get(key))}, is {json.dumps(now.get(key))}"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise ValueError(
            f"{folder} holds results of other settings: {'; '.join(changed)}. Give another output "
            "folder, or remove this one."
        )
