"""Which names clients may use."""

import pytest

from tasks.serving.served_models import ServedModel, find_served, list_default, read_served


def test_names_are_those_typed_and_of_paths_the_last_parts(tmp_path):
    (tmp_path / "mine").mkdir()
    texts = ["whisper-tiny.en", "whisper-tiny.en+grid", "x=openai/whisper-tiny", f"{tmp_path}/mine"]
    served = read_served(texts)
    assert list(served) == ["whisper-tiny.en", "whisper-tiny.en+grid", "x", "mine"]
    assert served["whisper-tiny.en+grid"] == ServedModel(
        "whisper-tiny.en+grid", "whisper-tiny.en", "grid"
    )
    assert served["mine"].model == f"{tmp_path}/mine" and served["x"].sets is None


def test_a_folder_whose_name_has_a_plus_is_one_model(tmp_path):
    (tmp_path / "a+b").mkdir()
    assert read_served([f"{tmp_path}/a+b"])["a+b"].sets is None


def test_the_alias_stands_for_the_first():
    served = read_served(["x=whisper-tiny.en", "whisper-tiny.en+grid"])
    assert find_served(served, "whisper-1") == served["x"]
    assert find_served(served, "whisper-tiny.en") is None


def test_by_default_whisper_tiny_and_sets_for_it_are_served():
    assert read_served(list_default())["whisper-tiny.en+grid"].sets == "grid"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "No model"),
        ([""], "not complete"),
        (["+grid"], "not complete"),
        (["whisper-tiny.en+"], "not complete"),
        (["=whisper-tiny.en"], "not complete"),
        (["whisper-tiny.en", "whisper-tiny.en"], "Two models"),
        (["whisper-1=whisper-tiny.en"], "Two models"),
        (["whisper-tiny.en+gird"], "No adapter sets 'gird'"),
        (["whisper-small+grid"], "are for whisper-tiny.en"),
    ],
)
def test_what_cannot_be_served_is_told(texts, said):
    with pytest.raises(ValueError, match=said.replace("'", ".")):
        read_served(texts)
