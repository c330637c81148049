import sys
from types import ModuleType

import pytest

from tools import publish_routers, routers_entropy, routers_heads, routers_rewarded
from tools.digit_lessons import told_parts
from tools.digit_tables import count_seeds, errors_by_method, errors_by_scenario, spread
from tools.publish_routers import PAGE, SECTIONS, publish
from tools.routers_entropy import SIGNS, SIZES, write_entropy
from tools.routers_heads import AS_THEY_ARE, FROM_CLIPS, METHODS, NEW, write_new, write_tasks
from tools.routers_rewarded import CHOOSERS, GIVEN, SCENARIOS, write_choosers
from tools.routers_support import ROUTERS, write_together


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "routers.md"
    marks = [f"<!-- {name}: begin -->\nold\n<!-- {name}: end -->\n" for name in SECTIONS]
    path.write_text("".join(marks))
    return path


def add_section(monkeypatch, told):
    module = ModuleType("tools.routers_made_up")
    module.tell = told
    monkeypatch.setitem(sys.modules, "tools.routers_made_up", module)
    monkeypatch.setitem(publish_routers.SECTIONS, "growth", ("tools.routers_made_up", "tell"))


def test_a_section_is_written_between_its_marks(monkeypatch, page):
    add_section(monkeypatch, lambda: ["one", "two"])
    assert publish("growth", page) == "written"
    assert "<!-- growth: begin -->\none\n\ntwo\n<!-- growth: end -->" in page.read_text()
    assert page.read_text().count("\nold\n") == len(SECTIONS) - 1


def test_without_a_section_all_are_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(publish_routers, "publish", lambda name: "asked")
    monkeypatch.setattr(sys, "argv", ["publish"])
    publish_routers.main()
    assert capsys.readouterr().out == "".join(f"{name}: asked\n" for name in SECTIONS)


def test_a_section_without_module_or_results_is_left_and_that_is_said(monkeypatch, page):
    before = page.read_text()
    monkeypatch.setitem(publish_routers.SECTIONS, "growth", ("tools.no_such_routers", "tell"))
    assert publish("growth", page) == "left as it is, there is no tools.no_such_routers"

    def told():
        raise FileNotFoundError("nothing here")

    add_section(monkeypatch, told)
    assert publish("growth", page) == "left as it is: nothing here"
    assert page.read_text() == before


def test_the_page_has_the_marks_of_all_sections():
    for name in SECTIONS:
        assert PAGE.read_text().count(f"<!-- {name}: begin -->") == 1


@pytest.mark.parametrize(
    "module", [routers_entropy, routers_heads, routers_rewarded], ids=lambda one: one.__name__
)
def test_what_is_not_measured_is_not_told(module, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    tell = {name: value for name, value in vars(module).items() if name.startswith("tell_")}
    with pytest.raises(FileNotFoundError, match="make routers"):
        next(iter(tell.values()))()


def test_tables_have_means_and_spreads():
    table = errors_by_scenario({"a": [{"hum": 1, "white": 3}, {"hum": 3, "white": 5}]})
    assert "| hum | 2.0 |" in table and "| **mean** | **3.0 ± 1.4** |" in table
    table = errors_by_method({"a": {"hum": [1, 3], "white": [5]}}, "errors")
    assert "| a | 2.0 | 5.0 | 3.5 |" in table
    assert spread([2.0]) == "2.0"
    assert (count_seeds([1]), count_seeds([2, 3])) == ("1 seed", "2 to 3 seeds")


def test_heads_are_told_from_what_was_measured():
    errors = {name: 10.0 for name in routers_heads.TASKS}
    results = {
        name: [{"errors": {k: v + n for k, v in errors.items()}, "parameters": 5, "rate": 0.01}]
        for n, name in enumerate(METHODS)
    }
    told = "\n".join(write_tasks(errors, results))
    assert "MHR makes 12.0 % errors, Poly 11.0, one LoRA 10.0" in told
    new = {
        name: {scenario: [{"errors": {scenario: 20.0 + n}}] for scenario in NEW}
        for n, name in enumerate((*AS_THEY_ARE, *FROM_CLIPS))
    }
    told = "\n".join(write_new(new))
    assert "z alone makes 23.0 % errors, a fresh LoRA 25.0" in told and "1 seed" in told


def test_rewards_are_told_from_what_was_measured():
    errors = {name: 10.0 for name in SCENARIOS}
    together = {
        name: [{"errors": errors, "support": 1.0 + n / 10, "start": 2, "load": [0.4, 0.6]}]
        for n, name in enumerate(ROUTERS)
    }
    told = "\n".join(write_together(together))
    assert "Effective support: 1.20 (ReMix, loss), 1.30 (ReMix, errors)" in told
    assert "softmax 1.00 (softmax), 1.10 (softmax, N(0, 1))" in told
    own = {name: [float(n == m) for m in range(5)] for n, name in enumerate(SCENARIOS)}
    chosen = {name: [{"errors": errors, "chosen": own}] for name in CHOOSERS}
    given = {name: [{"errors": errors}] for name in GIVEN}
    told = "\n".join(write_choosers(given, chosen))
    assert "scenario's own LoRA: 100 (classifier)" in told
    assert "the classifier 10.0 (aim" in told


def test_signs_are_told_from_what_was_measured():
    results = {}
    for size in SIZES:
        for n, sign in enumerate(SIGNS):
            one = {"entropy": 1, "support": 2, "scenarios": n, "digits": 0, "errors": {"hum": n}}
            results[sign, size] = [one]
    told = "\n".join(write_entropy(results))
    assert 'with 200 clips the experts tell most of the scenario by "the text\'s, +1"' in told
    assert 'errors are fewest by "the formula\'s, -1"' in told


def test_a_section_tells_what_is_measured_and_names_the_rest():
    def told():
        raise FileNotFoundError("no results")

    assert told_parts({"one": lambda: ["a"], "two": told}) == ["a", "Not measured yet: two."]
    assert told_parts({"one": lambda: ["a"]}) == ["a"]
    with pytest.raises(FileNotFoundError, match="no results"):
        told_parts({"two": told})
