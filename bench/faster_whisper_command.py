"""The peer of `mcgurk transcribe`: a file to subtitles by faster-whisper, int8, as a script."""

import sys

from faster_whisper import WhisperModel  # pyright: ignore[reportMissingImports]


def main(model: str, sound: str, output: str) -> None:
    whisper = WhisperModel(model, device="cpu", compute_type="int8")
    segments, _ = whisper.transcribe(
        sound, beam_size=1, language="en", vad_filter=True, word_timestamps=True
    )
    with open(output, "w", encoding="utf-8") as file:
        for number, segment in enumerate(segments, 1):
            times = f"{clock(segment.start)} --> {clock(segment.end)}"
            file.write(f"{number}\n{times}\n{segment.text.strip()}\n\n")


def clock(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{milliseconds:03}"


if __name__ == "__main__":
    main(*sys.argv[1:4])
