"""`mcgurk serve`: what it says before it serves."""

import sys

import pytest

from tasks.__main__ import run
from tasks.serving.token import TOKEN


def told(capsys, *arguments: str) -> str:
    """Run the command with a mistake; return its one line."""
    assert run(["serve", *arguments]) == 2
    out, said = capsys.readouterr()
    assert out == "" and said.count("\n") == 1
    return said


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "python_multipart"])
def test_without_its_extra_it_says_what_to_install(capsys, monkeypatch, package):
    if package != "fastapi":
        pytest.importorskip("fastapi")
    if package == "python_multipart":
        pytest.importorskip("uvicorn")
    monkeypatch.setitem(sys.modules, package, None)
    said = told(capsys)
    assert f"{package} is not installed" in said and "pip install 'mcgurk[serve]'" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "whisper-tny.en"), "No model 'whisper-tny.en'"),
        (("--model", "whisper-tiny.en+gird"), "No adapter sets 'gird'"),
        (("--model", "a=whisper-tiny.en", "--model", "a=whisper-tiny.en+grid"), "Two models"),
        (("--queue", "0"), "--queue is 0"),
        (("--max-upload", "-1"), "--max-upload is -1"),
        (("--max-duration", "nan"), "--max-duration is nan"),
        (("--time-limit", "inf"), "--time-limit is inf"),
        (("--grace", "soon"), "--grace is 'soon'"),
        (("--keep", "0"), "--keep is 0"),
        (("--port", "70000"), "--port is 70000"),
        (("--host", "192.0.2.1", "--port", "0"), "cannot be listened on"),
        (("--token", "zwölf"), "--token is no token"),
        (("--token", ""), "--token is empty"),
    ],
)
def test_a_mistake_is_told_in_one_line(capsys, arguments, said):
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    assert said in told(capsys, *arguments)


def test_a_token_of_the_environment_is_checked_too(capsys, monkeypatch):
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    monkeypatch.setenv(TOKEN, " ")
    assert f"{TOKEN} is no token" in told(capsys)


def test_without_gradio_the_page_can_be_left_out(capsys, monkeypatch):
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    monkeypatch.setitem(sys.modules, "gradio", None)
    said = told(capsys, "--port", "0")
    assert "gradio is not installed" in said and "--no-page" in said
