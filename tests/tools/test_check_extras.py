"""Each extra that can be installed is checked, and torch is linked without being touched."""

import ast
import sys
from pathlib import Path

from packaging.requirements import Requirement

from tools.check_extras import BASE, CHECKS, LINKED, link_packages, listed_extras, site_of


def test_every_extra_has_a_check_that_is_python():
    assert set(CHECKS) == {BASE, *listed_extras()}
    for code in CHECKS.values():
        assert any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(code).body)


def test_what_lhotse_imports_and_does_not_ask_for_is_in_its_extra():
    assert {Requirement(text).name for text in listed_extras()["lhotse"]} >= {"lhotse", "urllib3"}


def test_torch_s_files_are_links_in_folders_of_their_own(tmp_path):
    link_packages(tmp_path)
    assert (tmp_path / "torch/__init__.py").is_symlink()
    assert not (tmp_path / "torch").is_symlink() and (tmp_path / "torch").is_dir()
    assert not (tmp_path / "numpy").exists()
    assert [
        name for name in ("torch", "nvidia-nccl-cu13", "torchaudio") if not LINKED.match(name)
    ] == []
    assert not LINKED.match("torchmetrics") and not LINKED.match("peft")
    assert site_of(Path(sys.executable)).name == "site-packages"
