"""Files that are looked at, each kind read by what its encoder takes; torch is not loaded here."""

from pathlib import Path

from tasks.vision_language.card import FRAMES, SOUND


def check_file(path: str | Path, images: str) -> str:
    """Read a file as what sees or hears it would.

    Args:
        path: A picture, a sound or features of a video.
        images: Name of what sees or hears it, as `VisionLanguageConfig.images` has it.

    Returns:
        What is made of a picture that is not plain, as "the first of 3 pictures"; "" if nothing.

    Raises:
        OSError: It cannot be read.
        ValueError: It is something else.
    """
    if images == FRAMES:
        from modalities.vision_language.frames import load_frames

        load_frames(path)
        return ""
    if images.startswith(SOUND):
        from data_prep.media.audio import read_audio

        read_audio(path)
        return ""
    from data_prep.masks.images import read_image

    return read_image(path).note
