"""What is checked before a talker is enrolled, without torch."""

from pathlib import Path

from data_prep.clips.manifest import MANIFEST
from data_prep.media.files import MEDIA, find_files
from modalities.outputs import check_output_folder
from modalities.whole_file import check_new_folder
from tasks.avsr.sets.collection import ALL, DOMAIN, FACES, list_collections, read_collection
from tasks.avsr.sets.talker_card import TALKERS, find_talkers
from tasks.avsr.training.enrolment.options import EnrolOptions


def check_enrolment(source: Path, options: EnrolOptions, output: str | Path | None) -> None:
    """Check before any work that a talker can be enrolled, and written.

    Args:
        source: Folder of the collection.
        options: Who is enrolled.
        output: Folder for a copy; None for the collection itself.

    Raises:
        FileNotFoundError: Clips or recordings are not there.
        ValueError: The collection comes with mcgurk, has no set for every noise, cannot tell faces
            or has a talker of that name; or something is in the output.
        OSError: The folder cannot be written.
    """
    collection = read_collection(source)
    if output is None and source in [path.resolve() for path in list_collections().values()]:
        raise ValueError(
            f"{source.name} comes with mcgurk and is not changed; give a folder for a copy of it, "
            "as a command -o FOLDER."
        )
    if not collection.groups.get(ALL):
        raise ValueError(
            f"{source} has no set for every noise (group 'all'), which a talker's begins with; "
            "expected one."
        )
    if not ((source / DOMAIN).is_file() and (source / FACES).is_file()):
        raise ValueError(
            f"{source} cannot tell the faces that it knows from others; expected {DOMAIN} and "
            f"{FACES}. Collect it with clips."
        )
    if options.name in find_talkers(source):
        raise ValueError(
            f"{source} has a talker {options.name!r} already; take another name, or remove "
            f"{source / TALKERS / options.name}."
        )
    if output is None:
        check_output_folder(source)
    else:
        check_new_folder(output)
        check_output_folder(Path(output).parent)
    for folder, what in ((options.clips, "clips"), (options.noise, "recordings")):
        if not folder:
            continue
        if not Path(folder).is_dir():
            raise FileNotFoundError(f"{folder} is no folder; expected one with {what}.")
        if not find_files(folder, MEDIA):
            raise FileNotFoundError(
                f"{folder} has no {what}; expected a folder with some, "
                f"{'videos of one talker, as .mp4' if what == 'clips' else 'as .wav'}."
            )
    if options.old and not (Path(options.old) / MANIFEST).is_file():
        raise FileNotFoundError(
            f"{options.old}, where old talkers' clips are to be, is no folder of "
            f"`mcgurk prepare`: it has no {MANIFEST}."
        )
    if options.split and not Path(options.split).is_file():
        raise FileNotFoundError(f"{options.split}, the split of old talkers' clips, is not there.")
