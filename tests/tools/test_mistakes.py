"""What tools that train say of a mistake on their command line: one line, and exit code 2."""

from importlib import import_module

import pytest

TRAIN = {
    "train_digit_reader": ["built"],
    "train_audio_text": ["experiment.yaml", "built"],
    "train_shapes": ["built"],
}


@pytest.mark.parametrize("name", TRAIN)
def test_a_training_of_no_steps_is_refused_in_one_line(name, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [name, *TRAIN[name], "--steps", "0"])
    with pytest.raises(SystemExit) as end:
        import_module(f"tools.{name}").main()
    told = capsys.readouterr().err
    assert end.value.code == 2 and told == "Option 'steps' is 0; expected 1 or more.\n"
    assert not any(tmp_path.iterdir())
