"""Experiments in YAML, read into frozen dataclasses."""

import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from modalities.text_file import read_text

Config = TypeVar("Config")
# Two ways to say one thing, found by name as a study's base has no types: where the first is not 0,
# the second follows from it.
ALTERNATIVES = (("epochs", "steps"), ("least_epochs", "least_steps"))
# What omegaconf calls the kinds of values, in words.
KINDS = {
    "Integer": "a whole number",
    "int": "a whole number",
    "Float": "a number",
    "float": "a number",
    "Boolean": "true or false",
    "bool": "true or false",
    "str": "a text, '' for an empty one",
}


def read_config(kind: type[Config], path: str | Path, changes: Sequence[str] = ()) -> Config:
    """Read an experiment.

    Args:
        kind: Frozen dataclass that says what there is to set.
        path: A YAML file.
        changes: As "loop.steps=100", they win over the file; steps over its epochs too.

    Returns:
        The configuration.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a folder or no YAML, or sets what is not there or cannot be; it or the
            changes say one thing in two ways, as epochs and steps.
    """
    from omegaconf import OmegaConf

    path = Path(path)
    _check_file(path)
    text = io.StringIO(read_text(path))
    return _merge(kind, lambda: [_read_once(OmegaConf.load(text))], changes, str(path))


def changed(config: Config, changes: Sequence[str]) -> Config:
    """Set entries of a configuration anew.

    Args:
        config: Stays as it is.
        changes: As "loop.steps=100".

    Returns:
        A changed copy.

    Raises:
        ValueError: One sets what is not there or cannot be.
    """
    return _merge(config, list, changes, " ".join(changes))


def filled(kind: type[Config] | Config, entries: Mapping[str, Any], place: str) -> Config:
    """Set entries of a configuration, as they stand in YAML.

    Args:
        kind: Frozen dataclass, for its defaults, or one of its kind, which stays as it is.
        entries: By name; those of a configuration within it are in a dictionary of their own.
        place: What a message calls them.

    Returns:
        The configuration.

    Raises:
        ValueError: One sets what is not there or cannot be.
    """
    return _merge(kind, lambda: [dict(entries)], (), place)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a configuration in YAML.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; expected a configuration in YAML.")


def has_entry(kind: type, entry: str) -> bool:
    """Say whether a configuration has an entry, as "loop.steps"."""
    name, _, rest = entry.partition(".")
    types = get_type_hints(kind) if is_dataclass(kind) else {}
    return name in types and (not rest or has_entry(types[name], rest))


def named_paths(config: Any) -> list[Path]:
    """Return the files and folders that entries of a configuration name, at any depth.

    Args:
        config: A dataclass, or what of YAML is in one.

    Returns:
        Those that are there; a name that is no path, as of a model, is passed over.
    """
    if is_dataclass(config):
        return named_paths(vars(config))
    if isinstance(config, Mapping):
        return named_paths(tuple(config.values()))
    if isinstance(config, list | tuple):
        return [path for entry in config for path in named_paths(entry)]
    if isinstance(config, str | Path):
        return [Path(config)] if os.path.lexists(config) else []
    return []


def _merge(base: Any, load: Callable[[], list[Any]], changes: Sequence[str], place: str) -> Any:
    """Set entries of a structured configuration; a mistake is told with its place."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        merged: Any = OmegaConf.structured(base)
        for entries in (*load(), _read_changes(changes)):
            before = OmegaConf.to_container(merged)
            entries = _with_empty_texts(entries, before)
            merged = OmegaConf.merge(merged, _with_others_unset(entries, before))
        return OmegaConf.to_object(merged)
    except (OmegaConfBaseException, YAMLError, TypeError, ValueError) as error:
        raise ValueError(f"{place}: {_describe(error)}") from error


def _read_changes(changes: Sequence[str]) -> Any:
    """Read changes as entries; one that is no KEY=VALUE would be read as a key without a value."""
    from omegaconf import OmegaConf
    from yaml import YAMLError

    for change in changes:
        try:
            OmegaConf.from_dotlist([change])
            is_one = change.find("=") > 0
        except YAMLError:
            is_one = False
        if not is_one:
            raise ValueError(f"{change!r} sets nothing; changes are KEY=VALUE, as loop.steps=100.")
        if change.startswith("task="):
            raise ValueError(f"{change!r} cannot be set anew; another task is another file.")
    return _read_once(OmegaConf.from_dotlist(list(changes)))


def _read_once(entries: Any) -> Any:
    """Return entries as they were written, where they say nothing in two ways."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(entries)
    _check_once(plain)
    return plain


def _check_once(entries: Any, place: str = "") -> None:
    """Raise where entries of a file, or all changes, say one thing in two ways."""
    if not isinstance(entries, dict):
        return
    for name, entry in entries.items():
        _check_once(entry, f"{place}{name}.")
    for one, other in ALTERNATIVES:
        if entries.get(one) and other in entries:
            raise ValueError(
                f"{place}{one}={entries[one]} and {place}{other}={entries[other]} are two ways to "
                "say one thing; leave one out."
            )


def _with_empty_texts(entries: Any, before: Any) -> Any:
    """Take what is left empty for "" where a text was: a shell makes "loop.best=" of both."""
    if isinstance(entries, dict) and isinstance(before, dict):
        return {name: _with_empty_texts(of, before.get(name)) for name, of in entries.items()}
    return "" if entries is None and isinstance(before, str) else entries


def _with_others_unset(entries: Any, before: Any) -> Any:
    """Let what entries set win over the other way to say it that was set before."""
    if not isinstance(entries, dict) or not isinstance(before, dict):
        return entries
    found = {name: _with_others_unset(entry, before.get(name)) for name, entry in entries.items()}
    for one, other in ALTERNATIVES:
        if other in entries and one in before:
            found.setdefault(one, 0)
    return found


def _describe(error: Exception) -> str:
    """Tell a mistake by the entry's whole name, and without the names of our classes."""
    line, entry = _first_line(error), getattr(error, "full_key", None)
    if found := re.match(r"Key '.*' not in '\w+'(.*)", line):
        return f"There is no entry {entry!r}{found[1] or '.'}"
    if found := re.match(r"Merge error: .* is not a subclass of \w+\. value: (.*)", line):
        return f"{found[1]} stands where entries of its own are expected, as loop.steps=100."
    if re.match(r"Invalid value assigned: \w+ is not a .*list", line):
        return f"{entry} is one value; expected a list, as {entry}=[ONE] or {entry}=[ONE,TWO]."
    if found := re.match(r"Value (.*) of type '\w+' could not be converted to (\w+)", line):
        return f"{entry} is {found[1]}; expected {KINDS.get(found[2], found[2])}."
    if found := re.match(r"Incompatible value 'None' for field of type '(\w+)'", line):
        return f"{entry} has no value; expected {KINDS.get(found[1], found[1])}."
    if found := re.match(r"Cannot assign (\w+) to Dict", line):
        return f"{entry} is no table; expected entries by name."
    return f"{entry}: {line}" if entry else line


def read_name(path: str | Path, key: str, known: Sequence[str] = ()) -> str:
    """Return one entry of a YAML file, which says what the file is for.

    Args:
        path: A YAML file.
        key: Name of the entry.
        known: What it can be, for the message where there is none; another is returned too.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a folder or no YAML, or has no such entry.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    path = Path(path)
    _check_file(path)
    try:
        found: Any = OmegaConf.load(io.StringIO(read_text(path)))
    except (YAMLError, OmegaConfBaseException, OSError) as error:
        raise ValueError(f"{path} is no configuration in YAML ({_first_line(error)}).") from error
    name = found.get(key) if OmegaConf.is_dict(found) else None  # a list has no entries by name
    if not isinstance(name, str):
        names = f" with one of {', '.join(known)}" if known else ""
        raise ValueError(
            f"{path} does not say {key!r}; expected a line such as '{key}: NAME'{names}."
        )
    return name


def _first_line(error: Exception) -> str:
    from yaml import MarkedYAMLError

    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
