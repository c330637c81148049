import sys

import pytest

from tools import conditions_presets, publish_conditions
from tools.conditions_presets import tell_presets
from tools.publish_conditions import PAGE, main, publish

pytest.importorskip("diffusers")


def test_the_page_has_what_the_command_writes():
    page = PAGE.read_text()
    for paragraph in tell_presets():
        assert paragraph in page


def test_a_count_that_is_not_the_published_one_is_told(monkeypatch, tmp_path):
    preset = conditions_presets.PRESETS["res_adapter"]
    monkeypatch.setattr(conditions_presets, "PRESETS", {"res_adapter": preset})
    monkeypatch.setitem(preset.trained, "sdxl", 5)  # type: ignore[arg-type]
    page = tmp_path / "conditions.md"
    page.write_text("<!-- presets: begin -->\nold\n<!-- presets: end -->\n")
    with pytest.raises(ValueError, match="trains 527,360 weights on sdxl; expected 5"):
        publish("presets", page)
    assert "old" in page.read_text()


def test_sections_that_were_not_measured_are_left(monkeypatch, capsys):
    def tell() -> list[str]:
        raise FileNotFoundError("no measurements")

    monkeypatch.setattr(publish_conditions, "SECTIONS", {"presets": tell})
    monkeypatch.setattr(sys, "argv", ["publish"])
    main()
    assert "presets: left as it is: no measurements" in capsys.readouterr().out
