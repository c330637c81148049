"""A library of an extra is imported, or its true cause is told: not there, or there and broken."""

import sys

import pytest

from modalities.extras import import_extra


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Install a package whose import runs some code."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, code: str) -> str:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(code)
        return name

    yield install
    for name in [name for name in sys.modules if name.startswith("lib_")]:
        del sys.modules[name]


def test_a_library_that_is_there_is_imported(library):
    assert import_extra(library("lib_good", "answer = 42"), "some", "tests").answer == 42


def test_one_that_is_not_there_is_told_with_the_extra_that_brings_it():
    with pytest.raises(ValueError, match="lib_none is not installed; expected for cuts") as e:
        import_extra("lib_none", "some", "cuts")
    assert str(e.value).endswith("pip install 'mcgurk[some]'.")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import lib_missing.exceptions", r"needs 'lib_missing', .* pip install lib_missing\.$"),
        ("import sys; sys.modules['lib_x'] = None\nimport lib_x", "needs 'lib_x', which is not"),
        ("raise ModuleNotFoundError('install lib_y')", "ModuleNotFoundError: install lib_y. Ins"),
        ("from os import nothing_of_this", "ImportError: cannot import name 'nothing_of_this'"),
        (
            "raise OSError('libsndfile.so: not found\\nmore')",
            "OSError: libsndfile.so: not found",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero. Install it anew"),
        ("raise RuntimeError", "imported: RuntimeError. Install it anew"),
    ],
)
def test_one_that_is_there_and_cannot_be_imported_is_told_with_its_own_reason(library, code, told):
    name = library("lib_broken", code)
    with pytest.raises(ValueError, match=f"lib_broken is installed, for cuts, and .*{told}") as e:
        import_extra(name, "some", "cuts")
    assert "mcgurk[some]" not in str(e.value)
