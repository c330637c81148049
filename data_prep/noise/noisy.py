"""Noisy versions of prepared clips, written down so that each can be made again to the sample."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_prep.clips.manifest import Clip
from data_prep.clips.samples import Sample, load_crops, read_sound
from data_prep.json_lines import read_entries
from data_prep.media import read_audio
from data_prep.noise.mixing import Mixture
from data_prep.noise.scenes import Scene, render_scene


@dataclass(frozen=True)
class NoisyClip:
    """A clip with noise.

    Attributes:
        clip: The prepared clip, its files by absolute path.
        scene: Which noise is mixed with it, from where, and at which ratio.
        seed: Numbers that the scene was drawn with.
        audio: The mixture as a .wav, relative to the manifest's folder; None where it is only
            written down.
    """

    clip: Clip
    scene: Scene
    seed: tuple[int, ...]
    audio: str | None = None

    @property
    def id(self) -> str:
        """Unique in its manifest; also the name of its file."""
        return name_mixture(self.clip, self.scene.category, self.scene.snr_db)

    def to_json(self) -> str:
        """Return one line without its end."""
        data = {"id": self.id, "clip": self.clip.to_data(), "scene": self.scene.to_json()}
        return json.dumps({**data, "seed": self.seed, "audio": self.audio}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "NoisyClip":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        data = json.loads(line)
        try:
            clip, scene = Clip.from_data(data["clip"]), Scene.from_json(data["scene"])
            return cls(clip, scene, tuple(data["seed"]), data["audio"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"is no noisy clip ({error})") from error


def name_mixture(clip: Clip, category: str, snr_db: float) -> str:
    """Return the id of a clip with noise, such as "s1_bbaf2n_babble_-5dB"."""
    return f"{clip.id}_{category}_{snr_db:.9g}dB"


def read_noisy_manifest(path: str | Path) -> Iterator[NoisyClip]:
    """Read a manifest of `mix_manifest`, as `data_prep.clips.manifest.read_manifest` reads others.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged.
    """
    return read_entries(path, NoisyClip.from_json, "mix")


def render_noisy(noisy: NoisyClip, folder: str | Path) -> Mixture:
    """Mix a clip again, to the sample what `mix_manifest` mixed.

    Args:
        noisy: An entry that `read_noisy_manifest` read.
        folder: Where that manifest is; relative paths of the clip start there.

    Raises:
        FileNotFoundError: The clip or a noise recording is not where it was.
        ValueError: One is damaged, or silent now.
    """
    return render_scene(noisy.scene, read_sound(noisy.clip, folder))


def load_noisy_sample(noisy: NoisyClip, folder: str | Path) -> Sample:
    """Read the noisy sound and the mouth of a clip.

    Args:
        noisy: An entry that `read_noisy_manifest` read.
        folder: Where that manifest is; relative paths of the clip and its mixture start there.

    Returns:
        The clip; its waveform is the mixture: the file, 16 bit, where one was written, else mixed
        again.

    Raises:
        FileNotFoundError: A file is not where it was.
        ValueError: One is damaged.
    """
    if noisy.audio is None:
        waveform = render_noisy(noisy, folder).waveform
    else:
        waveform = read_audio(Path(folder) / noisy.audio)
    return Sample(noisy.clip, waveform, load_crops(noisy.clip, folder))
