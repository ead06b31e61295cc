"""Applies a preset: writes its values into params.yaml and leaves the rest of that file as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAMLError

from fpgan.config import load_params, parse_params
from fpgan.errors import InputError
from fpgan.files.writing import replacing
from fpgan.files.yaml_editing import Keys, edited_yaml
from fpgan.params import Section

PRESETS = Path("presets")


def use_preset(preset: str, path: Path) -> str:
    """Writes the values of a preset into a parameter file; returns the changes, one per line.

    `preset` is the name of a file in presets/, or a path. Comments, the order of keys, and parameters that
    the preset does not name stay as they are. Raises InputError, and leaves the file alone, for an unknown
    preset, or when the preset, the file or the outcome is invalid.
    """
    source = find_preset(preset)
    preset_params, params = load_params(source), load_params(path)
    values = params.model_dump(mode="json")
    changes = {keys: value for keys, value in _named(preset_params) if value != _at(values, keys)}
    if not changes:
        return f"{path}: already has all values of {source}"
    try:
        text = edited_yaml(path.read_text(encoding="utf-8"), changes)
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {getattr(error, 'problem', error)}") from None
    lines = [f"{path}: now has all values of {source}"]
    for keys, value in changes.items():
        section = _at(values, keys[:-1])
        lines.append(f"  {'.'.join(keys)}: {_in_yaml(section[keys[-1]])} -> {_in_yaml(value)}")
        section[keys[-1]] = value
    if parse_params(text, f"{path} with {source}").model_dump(mode="json") != values:
        raise InputError(
            f"{path}: a section takes values from another by '<<', which changing either would change "
            "in both; write them out first"
        )
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return "\n".join(lines)


def find_preset(preset: str) -> Path:
    """The file of a preset, given its name or a path; raises InputError for an unknown one."""
    for path in (PRESETS / f"{preset}.yaml", Path(preset)):
        if path.is_file():
            return path
    known = ", ".join(preset_names()) or "none"
    raise InputError(f"{preset}: no such preset; known in {PRESETS}: {known}")


def preset_names() -> list[str]:
    """The names of the files in presets/."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _named(section: Section) -> Iterator[tuple[Keys, Any]]:
    """The parameters that a file names, with their values; whole numbers have no decimal point."""
    values = section.model_dump(mode="json")
    for name in type(section).model_fields:
        if name not in section.model_fields_set:
            continue
        inner = getattr(section, name)
        if isinstance(inner, Section):
            yield from (((name, *keys), value) for keys, value in _named(inner))
        else:
            yield (name,), _whole(values[name])


def _at(values: Any, keys: Keys) -> Any:
    for key in keys:
        values = values[key]
    return values


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _in_yaml(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(_whole(value), default_flow_style=True, sort_keys=False, width=float("inf"))
    return text.splitlines()[0]
