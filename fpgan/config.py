"""Reads params.yaml: overrides, variants, and an explanation of every mistake.

Parameters enter the project only through `load_params` and `parse_params`: an unknown key, a wrong type or a
value out of range raises InputError with the path of the key, its allowed values, and the nearest known key.
"""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from fpgan.errors import InputError
from fpgan.params import Params, Section, SplitParams, Variant

Varied = TypeVar("Varied", bound=Section)


def vary(params: Params, variant: str) -> Params:
    """The parameters with one variant of the ablation applied; raises InputError for an unknown variant."""
    if variant not in params.ablation:
        raise InputError(
            f"ablation: no variant '{variant}'; there are: {', '.join(params.ablation) or 'none'}"
        )
    return params.model_copy(update={"train_gan": _varied(params.train_gan, params.ablation[variant])})


def leave_out(params: Params, person: str) -> Params:
    """The parameters for training on every person except one, who alone is tested on."""
    split = params.split.model_dump() | {"validation_persons": [], "test_persons": [person]}
    return params.model_copy(
        update={
            "split": SplitParams.model_validate(split),
            "train_gan": _varied(params.train_gan, params.cross_person.train_gan),
            "train_gaze": _varied(params.train_gaze, params.cross_person.train_gaze),
        }
    )


def adapted_to(params: Params, persons: Sequence[str]) -> list[str]:
    """The persons among these whose unlabelled pictures guide the adaptation of synthetic eyes."""
    apart = {*params.split.validation_persons, *params.split.test_persons}
    return [] if params.adapt.method == "none" else [person for person in persons if person not in apart]


def _varied(section: Varied, variant: Variant) -> Varied:
    def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        return old | {
            key: merged(old[key], value)
            if isinstance(value, dict) and isinstance(old.get(key), dict)
            else value
            for key, value in new.items()
        }

    return type(section).model_validate(merged(section.model_dump(), variant))


def load_params(path: Path, overrides: Sequence[str] | None = None) -> Params:
    """The parameters in a YAML file, with `section.key=value` overrides applied on top.

    Raises InputError when the file cannot be read or anything in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); name a parameter file with --params") from None
    return parse_params(text, str(path), overrides)


def parse_params(text: str, source: str, overrides: Sequence[str] | None = None) -> Params:
    """The parameters in YAML text, as `load_params`; messages name `source` as the origin of the text."""
    try:
        values = yaml.safe_load(text) or {}
        lines = _key_lines(yaml.compose(text))
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{source}: expected sections such as 'train_gan:', found {type(values).__name__}")
    overridden = {_apply_override(values, override) for override in overrides or []}
    prefix = ""  # of the keys in an error
    section: type[BaseModel] = Params  # which those keys belong to
    try:
        params = Params.model_validate(values)
        for name, varied, changes in _variants(params):
            prefix, section = f"{name}.", type(varied)
            _varied(varied, changes)
        return params
    except ValidationError as error:
        problems = []
        for detail in error.errors():
            key = prefix + ".".join(str(part) for part in detail["loc"])
            place = "--set" if key in overridden else f"{source}:{lines[key]}" if key in lines else source
            problems.append(f"{place}: {key}: {_explain(detail, section)}")
        raise InputError("\n".join(problems)) from None


def _variants(params: Params) -> Iterator[tuple[str, Section, Variant]]:
    """Every variant: its key path, the section that it changes, and the changes."""
    for name, changes in params.ablation.items():
        yield f"ablation.{name}", params.train_gan, changes
    yield "cross_person.train_gan", params.train_gan, params.cross_person.train_gan
    yield "cross_person.train_gaze", params.train_gaze, params.cross_person.train_gaze


def _key_lines(node: yaml.Node | None, prefix: str = "") -> dict[str, int]:
    """Line of every key path in a composed YAML document."""
    lines: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = f"{prefix}{key.value}"
            lines[path] = key.start_mark.line + 1
            lines |= _key_lines(value, path + ".")
    return lines


def _apply_override(values: dict[str, Any], override: str) -> str:
    """Applies one `section.key=value` to the values and returns its key path."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise InputError(f"--set {override}: expected section.key=value, such as train_gan.steps=100")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"--set {override}: the value is not valid YAML: {error}") from None
    section = values
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise InputError(f"--set {override}: '{part}' is a value, not a section")
    section[parts[-1]] = value
    return ".".join(parts)


def _explain(detail: Any, validated: Any) -> str:
    """One validation error of a section as a sentence, with the allowed values or the nearest known key."""
    message: str = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        section = validated
        for part in detail["loc"][:-1]:
            section = section.model_fields[part].annotation
        known = list(section.model_fields)
        near = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return f"unknown key; {hint}Known here: {', '.join(known)}"
    return f"{message[0].lower()}{message[1:]}; found {detail['input']!r}"
