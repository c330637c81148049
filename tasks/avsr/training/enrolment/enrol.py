"""Enrol a talker: from clips to sets for that face and voice, in a collection beside its own."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch

from data_prep.clips.manifest import Clip
from data_prep.clips.samples import Sample, load_sample
from data_prep.datasets.remarks import Remarks
from data_prep.datasets.speech.folder import find_folder_clips
from modalities.text_file import read_text
from modalities.vision.lips import load_lip_encoder
from modalities.whole_file import folder_when_whole, replace_when_whole
from tasks.avsr.sets.collection import (
    COLLECTION,
    Collection,
    find_collection,
    read_collection,
    write_collection,
)
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser
from tasks.avsr.sets.talker_card import (
    AS_IT_WAS,
    TALKERS,
    TalkerCard,
    find_talkers,
    write_talker,
)
from tasks.avsr.sets.talker_face import load_face, summarise_face
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.enrolment.candidates import BEFORE, build_candidates, save_face
from tasks.avsr.training.enrolment.checks import check_enrolment
from tasks.avsr.training.enrolment.choice import Chosen, Trial, choose_sets
from tasks.avsr.training.enrolment.material import (
    HELD,
    NEW,
    TRAIN,
    Material,
    check_enough,
    data_of,
    gather,
)
from tasks.avsr.training.enrolment.options import EnrolOptions
from tasks.avsr.training.enrolment.pieces import UNREAD, Cut, cut_clips
from tasks.avsr.training.enrolment.progress import Steps
from tasks.avsr.training.enrolment.teaching_text import TeachingText
from tasks.avsr.training.enrolment.trainings import Trainings, has_trained
from tasks.avsr.training.enrolment.two_faces import find_other_face
from tasks.avsr.training.noise_maker import NoiseMaker
from tasks.devices import find_device
from tasks.training.folder_lock import alone_in

KNOWN = 0.5  # share of pieces with a face that a collection knows, above which it knows the talker
PIECES = "pieces"
SETTINGS = "settings.json"
Report = Callable[[float, float | None], None]


def enrol(
    name: str | Path,
    options: EnrolOptions,
    output: str | Path | None = None,
    device: str = "cpu",
    report: Report | None = None,
) -> tuple[Path, TalkerCard]:
    """Make sets for a talker from clips, and put them beside those of a collection.

    Interrupted, it goes on where it was when it is called again, and ends in the same bytes. The
    collection's own files stay as they are, in the copy too.

    Args:
        name: A collection, by folder or name.
        options: Who is enrolled, and how.
        output: Folder for a copy of the collection with the talker, new or empty; None puts the
            talker into the collection, which then is no shipped one.
        device: "auto", "cpu", "cuda" or "mps".
        report: Called with the work done and all, in seconds of a machine with two cores.

    Returns:
        The folder of the collection with the talker, and the talker's card.

    Raises:
        FileNotFoundError: Clips, recordings or old clips are not there.
        ValueError: Too few clips can be learnt from; the talker is known already; there seem to be
            two talkers; the output is there; the collection has no set for every noise, or cannot
            tell faces; there is no such device; another enrolment is at work, or trained with other
            settings.
        OSError: The folder cannot be written.
    """
    source = find_collection(name).resolve()
    target = source if output is None else Path(output).resolve()
    check_enrolment(source, options, output)
    find_device(device)
    remarks = Remarks()
    clips = find_folder_clips(options.clips, remarks)
    work = target.parent / f".{target.name}.{options.name}.enrolling"
    with alone_in(work):
        _check_settings(work, source, options, clips)
        enrolment = _Enrolment(source, options, work, device, Steps(options, len(clips), report))
        card = enrolment.run(clips, len(remarks.failed))
        _put(source, target, enrolment.made, options.name)
        _remove(work)
    return target, card


@dataclass(frozen=True)
class _Enrolment:
    """One enrolment in its folder."""

    source: Path
    options: EnrolOptions
    work: Path
    device: str
    steps: Steps

    @property
    def made(self) -> Path:
        """Folder of the talker, when it is made."""
        return self.work / "talker"

    @property
    def data(self) -> Path:
        """Folder of the pieces."""
        return self.work / PIECES

    def run(self, clips: Sequence[Clip], unread: int) -> TalkerCard:
        """Do all steps that are not done yet, and return the card."""
        options, steps = self.options, self.steps
        cut = cut_clips(clips, self.data, options.workers, steps.report("cut"))
        if unread:
            failed = cut.left_out.get(UNREAD, 0) + unread
            cut = replace(cut, left_out={**cut.left_out, UNREAD: failed})
        check_enough(len(cut.pieces), cut.left_out, len(clips))
        material = self._listen(cut, len(clips))
        collection = read_collection(self.source)
        trainings = Trainings(
            self.source,
            collection,
            options,
            self.data,
            self.work,
            len(find_clips(data_of(self.data), TRAIN)),
            material.old,
            self.device,
        )
        trainings.train_lips(steps.report("lips"))
        trainings.train_agreement(steps.report("agreement"))
        trainings.train_set(steps.report("set"))
        chosen = self._choose(trainings, collection)
        card = self._describe(material, chosen, len(clips))
        self._finish(trainings, collection, chosen, card)
        return card

    def _listen(self, cut: Cut, total: int) -> Material:
        """Refuse a face that is known, and find what is said."""
        collection = read_collection(self.source)
        recogniser = load_recogniser(collection.model, self.source, self.device)
        if not self.options.anyway:
            samples = [load_sample(piece, self.data) for piece in cut.pieces]
            self._refuse_known(recogniser, samples)
            self._refuse_two(recogniser, samples)
        teaching, report = TeachingText(recogniser), self.steps.report("texts")
        return gather(cut, self.data, self.options, teaching, total, report)

    def _refuse_known(self, recogniser: SetRecogniser, samples: Sequence[Sample]) -> None:
        utterances = [Utterance(s.waveform, s.crops, s.clip.mask()) for s in samples]
        farthest = recogniser.collection.farthest
        far = {"": [one / farthest for one in recogniser.sights.look(utterances).distances]}
        for name, place in find_talkers(self.source).items():
            lips = load_lip_encoder(place / read_collection(place).lips)
            far[f", as {name!r}"] = load_face(place, lips).distances(utterances)
        for who, distances in far.items():
            known = sum(distance <= 1 for distance in distances)
            if known > KNOWN * len(distances):
                _remove(self.work)  # nothing in it is of use to another enrolment
                raise ValueError(
                    f"The face in {known} of {len(distances)} pieces is one that "
                    f"{self.source.name} knows already{who}; expected another. Recognise with it "
                    "as it is, or enrol it anyway (--anyway)."
                )

    def _refuse_two(self, recogniser: SetRecogniser, samples: Sequence[Sample]) -> None:
        assert recogniser.adapted.lips is not None
        lips = recogniser.adapted.lips
        rows = [summarise_face(lips, one.crops, one.clip.mask()) for one in samples]
        other = find_other_face(torch.cat(rows)) if rows else None
        if other is not None:
            first = samples[int(other.int().argmax())].clip.id
            raise ValueError(
                f"{int(other.sum())} of {len(samples)} pieces, the first of them {first}, seem to "
                "show another face than the rest; expected one talker. Enrol each alone, or all "
                "of them anyway, where it is one person in other light (--anyway)."
            )

    def _choose(self, trainings: Trainings, collection: Collection) -> Chosen:
        """Measure the candidates on pieces held back; what was measured is taken over."""
        path = self.work / "chosen.json"
        if path.is_file():
            return Chosen(**json.loads(read_text(path)))
        folder = self.work / "candidates"
        if folder.exists():
            shutil.rmtree(folder)
        build_candidates(
            self.source, collection, trainings.set, trainings.lips, trainings.agreement, folder
        )
        data = data_of(self.data)
        pieces, held = (load_clips(find_clips(data, part), data.folder) for part in (NEW, HELD))
        save_face(pieces, held, trainings.lips, folder, self.options.seed)
        everything = load_clips(find_clips(data, TRAIN), data.folder)
        noise = NoiseMaker(trainings.noise, [sample.waveform for sample in everything])
        recogniser = load_recogniser(collection.model, folder, self.device)
        trial = Trial(recogniser, held, noise, self.options.draws)
        chosen = choose_sets(trial, collection, self.steps.report("choose"))
        with replace_when_whole(path) as partial:
            partial.write_text(json.dumps(asdict(chosen)), encoding="utf-8")
        return chosen

    def _describe(self, material: Material, chosen: Chosen, clips: int) -> TalkerCard:
        options = self.options
        return TalkerCard(
            name=options.name,
            clips=clips,
            pieces=material.pieces,
            held_back=material.held_back,
            minutes=material.minutes,
            left_out=material.left_out,
            texts=material.texts,
            before={name: round(rate, 2) for name, rate in chosen.before.items()},
            after={name: round(rate, 2) for name, rate in chosen.after.items()},
            taken=chosen.taken,
            noise="recordings, and made by rule" if options.noise else "made by rule",
            seed=options.seed,
            command=f"mcgurk sets enrol {self.source.name}",
        )

    def _finish(
        self, trainings: Trainings, collection: Collection, chosen: Chosen, card: TalkerCard
    ) -> None:
        """Write the talker's folder from the candidates that are taken."""
        folder = self.work / "candidates"
        if self.made.exists():
            shutil.rmtree(self.made)
        with folder_when_whole(self.made) as partial:
            for path in sorted(folder.iterdir()):
                if path.is_file() and path.name != COLLECTION:
                    shutil.copyfile(path, partial / path.name)
            for name in collection.sets:
                stays = chosen.taken.get(name) == AS_IT_WAS
                taken = folder / (f"{name}{BEFORE}" if stays else name)
                shutil.copytree(taken, partial / name, copy_function=shutil.copyfile)
            described = replace(
                collection,
                lips=trainings.lips.name,
                data=f"{card.pieces} pieces of {card.name}'s clips, {card.minutes} minutes",
                licence="",
                command=card.command,
                scores={},
            )
            write_collection(partial, described)
            write_talker(partial, card)


def _check_settings(work: Path, source: Path, options: EnrolOptions, clips: Sequence[Clip]) -> None:
    """Refuse to go on with what was trained on other clips or sets, or with other settings."""
    content = json.dumps(
        {
            # To put a talker in anyway changes nothing that is computed.
            "options": asdict(replace(options, workers=None, anyway=False)),
            "sets": _digest(sorted(path for path in source.rglob("*") if path.is_file())),
            "clips": _digest([Path(clip.media) for clip in clips]),
            "texts": sha256(json.dumps([c.text for c in clips]).encode()).hexdigest(),
        },
        indent=1,
    )
    path = work / SETTINGS
    if path.is_file() and read_text(path).strip() != content:
        if has_trained(work):
            raise ValueError(
                f"{work} holds an enrolment that began with other clips or settings; remove it to "
                "begin anew, or take another output or name."
            )
        _remove(work / PIECES)  # more clips may have been recorded, as was asked for
    with replace_when_whole(path) as partial:
        partial.write_text(content + "\n", encoding="utf-8")


def _digest(paths: Sequence[Path]) -> str:
    """Return a sum of names and sizes of files."""
    return sha256(
        "\n".join(f"{path.name} {path.stat().st_size}" for path in paths).encode()
    ).hexdigest()


def _put(source: Path, target: Path, made: Path, name: str) -> None:
    """Copy the talker into a collection, or with the collection into a new folder."""
    if target == source:
        with folder_when_whole(target / TALKERS / name) as partial:
            shutil.copytree(made, partial, dirs_exist_ok=True, copy_function=shutil.copyfile)
        return
    with folder_when_whole(target) as partial:
        copy = shutil.copyfile
        shutil.copytree(source, partial, dirs_exist_ok=True, copy_function=copy)
        shutil.copytree(made, partial / TALKERS / name, copy_function=copy)


def _remove(work: Path) -> None:
    """Take away what was worked in, or a part of it."""
    shutil.rmtree(work, ignore_errors=True)
