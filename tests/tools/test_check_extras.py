"""Each extra that can be installed is checked, and torch is linked without being touched."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.check_extras import BASE, CHECKS, LINKED, ROOT, link_packages, listed_extras, site_of


def test_every_extra_has_a_check_that_is_python():
    assert set(CHECKS) == {BASE, *listed_extras()}
    for code in CHECKS.values():
        assert any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(code).body)


@pytest.mark.parametrize("extra", ["segmentation", "fonts", "lhotse", "serve"])
def test_checks_pass_where_their_extra_is_installed(extra, tmp_path):
    """Here all of them are; whether each is enough alone, `make extras` says."""
    done = subprocess.run(
        [sys.executable, "-c", CHECKS[extra]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


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
