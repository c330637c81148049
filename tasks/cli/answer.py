"""mcgurk answer."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.answer_options import AnswererName
from tasks.cli.options import AsJson, Device

if TYPE_CHECKING:
    from tasks.vision_language.answerer import Answered

SHOWN = 80  # letters of a question in a message


def answer(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A picture, or a sound for a model of sounds.")
    ],
    questions: Annotated[
        list[str],
        typer.Argument(metavar="QUESTION", help="What to answer, as 'What colour is the car?'."),
    ],
    second: Annotated[
        Path | None,
        typer.Option(
            "--and",
            metavar="FILE",
            help="A second picture, on the right: statements about both are judged true or false.",
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(help="How many answers of each question, likeliest first; 1 to 100.")
    ] = 1,
    model: AnswererName = "scenes",
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Answer questions about a picture; judge statements on two."""
    from tasks.cli.answer_options import check_answerer, check_source, check_texts
    from tasks.vision_language.config import MOST_BEAMS

    if not 1 <= top <= MOST_BEAMS:
        raise ValueError(f"--top is {top}; expected 1 to {MOST_BEAMS} answers.")
    what = "statement" if second else "question"
    check_texts(questions, what)
    images = check_answerer(model)
    for path in (source, second):
        if path is not None:
            check_source(path, images)
    from tasks.vision_language.answerer import Answerer

    answerer = Answerer.load(model, device)
    if second is not None:
        found = answerer.judge(source, second, questions)
    else:
        found = answerer.answer(source, questions, top)
    if as_json:
        told = {"model": model, "pictures": [str(p) for p in (source, second) if p is not None]}
        told |= {"answers": [asdict(one) for one in found]}
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return
    show_answers(found, top, what)


def show_answers(found: "list[Answered]", top: int, what: str) -> None:
    """Print answers with how likely they are, below their question where there are several."""
    for number, one in enumerate(found):
        if len(found) > 1 or top > 1:
            print(f"{chr(10) if number else ''}{one.question}")
        for said in one.answers[:top]:
            print(f"{said.text or '(nothing)'}  {said.probability:.2f}")
    for one in found:
        if one.cut:
            typer.echo(
                f"The {what} {shortened(one.question)!r} is longer than the model reads; its end "
                "is cut.",
                err=True,
            )


def shortened(text: str) -> str:
    """Return a text, or the beginning of a long one, to be known by."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
