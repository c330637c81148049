"""The work on one request: its file through a model, within its limits."""

from dataclasses import dataclass, replace

from modalities.speech.languages import name_language
from tasks.avsr.outputs.transcript import Transcript
from tasks.avsr.pipeline import AVSROptions
from tasks.serving.limits import Limits
from tasks.serving.loaded_models import LoadedModels, Pipeline
from tasks.serving.media_check import refuse_length
from tasks.serving.refusals import refuse_file, refuse_value
from tasks.serving.worker import Job, Stopped


@dataclass(frozen=True)
class Result:
    """What a file says.

    Attributes:
        transcript: All of it; of a stream without faces and notes.
        language: Its English name, as "english"; "" where nothing was heard and none was asked.
    """

    transcript: Transcript
    language: str


@dataclass(frozen=True)
class Progressed:
    """How far the work on a request is, delivered where `Asked.faces` asks for it.

    Attributes:
        done_s: Seconds of the file that are read.
        length_s: Seconds that it lasts, None where that is not known.
    """

    done_s: float
    length_s: float | None


class Recognition:
    """Transcribes what jobs ask for.

    Args:
        models: Where models come from.
        limits: How long a file may be.
    """

    def __init__(self, models: LoadedModels, limits: Limits):
        self.models, self.limits = models, limits

    def run(self, job: Job) -> Result:
        """Transcribe the file of a job; segments of a stream are delivered one by one.

        Raises:
            Refusal: The file or the language cannot be taken.
            Stopped: The job is not wanted any more.
        """
        self._check_wanted(job)
        with self.models.use(job.asked.model) as model:
            return self._run_on(model, job)

    def _run_on(self, model: Pipeline, job: Job) -> Result:
        pipeline = self._choose(model, job)
        try:
            heard = self._stream(job, pipeline) if job.asked.stream else self._whole(job, pipeline)
        except (ValueError, OSError) as error:
            self._check_wanted(job)
            if str(job.path) not in str(error):
                raise
            # An error that names the file is about the file; the client has not named it so.
            told = str(error).replace(str(job.path), "The file")
            raise refuse_file(told) from None
        code = pipeline.language or job.asked.language
        return Result(heard, name_language(code) if code else "")

    def _choose(self, model: Pipeline, job: Job) -> Pipeline:
        self._check_wanted(job)
        asked = job.asked
        # Where an answer has no place for faces, pictures are for adapter sets alone.
        video = asked.faces or asked.model.sets is not None
        options = AVSROptions(asked.language, video=video, words=asked.words)
        try:
            return model.with_options(options)
        except ValueError as error:
            refusal = refuse_value("language", asked.language or "", "one that the model knows")
            refusal.message += f" {error}"
            raise refusal from None

    def _whole(self, job: Job, pipeline: Pipeline) -> Transcript:
        def watch(done_s: float, length_s: float | None) -> None:
            self._watch(job, done_s)
            if job.asked.faces:
                job.deliver(Progressed(done_s, length_s))

        return pipeline.transcribe(job.path, progress=watch)

    def _stream(self, job: Job, pipeline: Pipeline) -> Transcript:
        length_s, segments = 0.0, []

        def watch(done_s: float, _: float | None) -> None:
            nonlocal length_s
            length_s = done_s
            self._watch(job, done_s)

        for segment in pipeline.stream(job.path, progress=watch):
            segments.append(segment)
            job.deliver(segment)
            self._check_wanted(job)
        text = " ".join(segment.text for segment in segments)
        found = Transcript(text, length_s, job.asked.model.name, False, "", tuple(segments), ())
        return replace(found, video_used=any(segment.video_used for segment in segments))

    def _watch(self, job: Job, done_s: float) -> None:
        """Stop where nobody waits, or where a file is longer than it said."""
        self._check_wanted(job)
        if done_s > self.limits.duration_s + 1:
            raise refuse_length(self.limits.duration_s)

    def _check_wanted(self, job: Job) -> None:
        if job.stopped.is_set():
            raise Stopped
