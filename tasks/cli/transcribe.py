"""mcgurk transcribe."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.options import AsJson, AudioTrack, Box, Device, Landmarks, MediaPath, parse_box
from tasks.cli.progress import progress_bar
from tasks.cli.talker import Separate, open_talkers

if TYPE_CHECKING:
    from tasks.avsr import Transcript


def transcribe(
    file: MediaPath,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write .srt, .vtt, .json, .tsv or .txt; again for more.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Catalog name, folder, hub id or OpenAI .pt file.")
    ] = "whisper-tiny.en",
    sets: Annotated[
        str | None,
        typer.Option(help="Adapter sets: a folder, or a name that `mcgurk sets list` shows."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Code or name: de, German, de-AT. Default: as heard.")
    ] = None,
    vad: Annotated[
        bool, typer.Option("--vad/--no-vad", help="Drop stretches without speech.")
    ] = True,
    video: Annotated[
        bool, typer.Option("--video/--no-video", help="Look for faces where there is video.")
    ] = True,
    preview: Annotated[
        Path | None,
        typer.Option(help="Write a video with boxes, mouth crop, subtitles and sound (.mp4)."),
    ] = None,
    font: Annotated[
        list[Path] | None,
        typer.Option(help="A font file for the preview's text; again for more."),
    ] = None,
    mouth_video: Annotated[
        Path | None, typer.Option(help="A ready mouth-crop video instead of our detector.")
    ] = None,
    landmarks: Landmarks = None,
    box: Box = None,
    audio_track: AudioTrack = None,
    separate: Separate = None,
    engine: Annotated[
        str,
        typer.Option(help="What computes Whisper: auto, ctranslate2 (no sets, CPU) or torch."),
    ] = "auto",
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Transcribe a video or sound file."""
    from modalities.outputs import check_outputs
    from tasks.avsr.inputs.media import ReadyMouth, open_input
    from tasks.avsr.outputs.transcript import find_writer
    from tasks.avsr.sets.collection import find_collection
    from tasks.cli.separate_options import check_separator

    for path in output or []:
        find_writer(path)
    if preview is not None:
        from tasks.avsr.outputs.preview import check_preview_path

        check_preview_path(preview, file, font or [])
    ready = ReadyMouth(mouth_video, landmarks, parse_box(box) if box else None)
    collection = None if sets is None else find_collection(sets)
    written = [*(output or []), preview]
    read = [file, mouth_video, landmarks, *(font or [])]
    check_outputs(written, read, kept=[model, collection, separate])
    if separate is not None:
        check_separator(separate)
    # A bad file is told before a model is loaded.
    open_input(file, ready=ready, audio_track=audio_track)
    from tasks.avsr.pipeline import AVSROptions, AVSRPipeline

    options = AVSROptions(language=language, voice_activity=vad, video=video)
    pipeline = AVSRPipeline(model, sets, device, options, engine)
    with open_talkers(separate, device, audio_track, as_json) as find_talker:
        talker = find_talker(file)
        with progress_bar(f"Transcribing {file.name}", hidden=as_json) as report:
            transcript = pipeline.transcribe(
                file, ready=ready, progress=report, audio_track=audio_track, sound=talker
            )
    if as_json:
        print(json.dumps(transcript.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        _show(transcript)
        for line in pipeline.notes:
            print(f"Engine: {line}.", file=sys.stderr)
    for path in output or []:
        transcript.save(path)
    if preview is not None:
        from tasks.avsr.outputs.preview import write_preview

        with progress_bar(f"Drawing {preview.name}", hidden=as_json) as report:
            note = write_preview(file, transcript, preview, report, font or [], audio_track)
        if note:
            print(note, file=sys.stderr)


def _show(transcript: "Transcript") -> None:
    from tasks.avsr.outputs.transcript import clock

    for segment in transcript.segments:
        start, end = clock(segment.start_s, "."), clock(segment.end_s, ".")
        print(f"[{start} --> {end}] {segment.text}")
    sys.stdout.flush()
    for line in _describe_choices(transcript):
        print(line, file=sys.stderr)
    if not transcript.segments:
        print("No speech was found.", file=sys.stderr)
    if transcript.sound_note:
        print(f"Sound: {transcript.sound_note}.", file=sys.stderr)
    print(f"Video: {transcript.video_note}.", file=sys.stderr)


def _describe_choices(transcript: "Transcript") -> list[str]:
    """Say what the selector heard, and what was done, a line for each kind."""
    lines: dict[str, int] = {}
    for segment in transcript.segments:
        if segment.scenario is None:
            continue
        done = "unknown to the sets, left to plain Whisper"
        if segment.adapter_set is not None:
            done = segment.set_and_whose
            if segment.agreement is not None:
                done += f", lips and sound agree {segment.agreement:.2f}"
        line = f"{segment.scenario} heard at {segment.snr_db:.0f} dB: {done}"
        lines[line] = lines.get(line, 0) + 1
    return [
        f"{line} ({count} segments)." if count > 1 else f"{line}." for line, count in lines.items()
    ]
