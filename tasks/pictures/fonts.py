"""Fonts that have the letters of a text: named ones, matplotlib's own, and those installed."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

FONT_SUFFIXES = (".ttf", ".otf", ".ttc")
PACKAGED = "fontpkg.family"  # entry points of font packages on PyPI
LESS_WANTED = re.compile(
    r"bold|italic|oblique|light|thin|black|heavy|medium|semi|cond|mono|serif|kufi|nastaliq|"
    r"looped|display|slanted|ui"
)
COMMON = {
    "CJK": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "MYANMAR": "Burmese",
}


def check_font(path: Path) -> None:
    """Check that a file is a font.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no font that can be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no font {path}; expected a .ttf, .otf or .ttc file.")
    if not letters_of(path):
        raise ValueError(f"{path} is no font that can be read; expected a .ttf, .otf or .ttc file.")


def find_fonts(letters: Collection[str], named: Sequence[Path]) -> tuple[list[Path], set[str]]:
    """Choose fonts, one for each script where one will do.

    Args:
        letters: All that has to be drawn.
        named: Fonts that come first.

    Returns:
        The fonts, in the order in which to look a letter up, and the letters that none has.
    """
    fonts = [*named, _default_font()]
    missing = {letter for letter in letters if not _has(fonts, letter)}
    for script in sorted({script_of(letter) for letter in missing}):
        wanted = {letter for letter in missing if script_of(letter) == script}
        found = next((path for path in _installed() if wanted <= letters_of(path)), None)
        if found is not None:
            fonts.append(found)
            missing -= wanted
    return fonts, missing


def script_of(letter: str) -> str:
    """Return the English name of the script that a letter belongs to, as "Thai"."""
    first = unicodedata.name(letter, "UNKNOWN").split()[0].split("-")[0]
    return COMMON.get(first, first.title())


@cache
def letters_of(path: Path) -> frozenset[str]:
    """Return what a font has glyphs for; nothing where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(str(path)).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


def _has(fonts: Iterable[Path], letter: str) -> bool:
    return any(letter in letters_of(path) for path in fonts)


@cache
def _default_font() -> Path:
    from matplotlib import get_data_path

    return Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@cache
def _installed() -> tuple[Path, ...]:
    """Return fonts of installed packages, then the system's, plain upright ones first."""
    from matplotlib.font_manager import findSystemFonts

    packaged = [path for name in entry_points(group=PACKAGED) for path in _files_of(name.module)]
    system = map(Path, findSystemFonts())
    usual = [path for path in system if path.suffix.lower() in FONT_SUFFIXES]
    return tuple([*sorted(packaged, key=_rank), *sorted(usual, key=_rank)])


def _files_of(module: str) -> list[Path]:
    spec = find_spec(module)
    places = spec.submodule_search_locations if spec is not None else None
    found = [path for place in places or () for path in Path(place).rglob("*")]
    return [path for path in found if path.suffix.lower() in FONT_SUFFIXES]


def _rank(path: Path) -> tuple[int, bool, str]:
    name = path.stem.lower()
    return len(LESS_WANTED.findall(name)), "sans" not in name, str(path)
