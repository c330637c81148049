"""The measurements for a GPU run to their end on the CPU, too."""

import shutil
import sys

import pytest

from bench import gpu


@pytest.mark.slow
def test_it_answers_all_four_questions(monkeypatch, tmp_path, demo_clip, capsys):
    for number in range(3):
        shutil.copy(demo_clip, tmp_path / f"{number}.mp4")
    page = tmp_path / "speed.md"
    page.write_text("# Speed\n<!-- gpu: begin -->\nold\n<!-- gpu: end -->\n")
    monkeypatch.setattr(gpu, "PAGE", page)
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    given = ["--device", "cpu", "--shape", "tiny", "--batch", "2", "--write"]
    monkeypatch.setattr(sys, "argv", ["gpu", str(tmp_path), *given])
    gpu.main()
    table, *told = capsys.readouterr().out.strip().split("\n\n")
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [
        "| 3 clips read, log-mel and encoder, speed",
        "| 3 clips read, log-mel and encoder: the device at work",
        "| 8 windows, each its own LoRA",
        "| a LoRA merged and unmerged",
    ]
    assert "the CPU, to try it out" in told[0] and "384 wide and 4 deep" in told[0]
    assert told[1] == "Whisper tiny.en writes the CPU's text for 3 of 3 clips there."
    assert "old" not in page.read_text() and told[1] in page.read_text()


@pytest.mark.parametrize(("folder", "told"), [("none", "no media files"), (".", "no media files")])
def test_a_folder_without_clips_is_one_line(monkeypatch, tmp_path, capsys, folder, told):
    monkeypatch.setattr(sys, "argv", ["gpu", str(tmp_path / folder), "--device", "cpu"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    err = capsys.readouterr().err
    assert ended.value.code == 2 and told in err and err.count("\n") == 1
