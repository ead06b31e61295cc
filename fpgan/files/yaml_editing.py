"""Changes values in YAML text and keeps everything else: comments, order, quotes and aliases."""

import io
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

Keys = tuple[str, ...]
"""The path of a value: ("train_gan", "steps")."""


class NullRepresenter(RoundTripRepresenter):
    """Writes null as 'null'; ruamel.yaml leaves it empty."""


NullRepresenter.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def edited_yaml(text: str, changes: Mapping[Keys, Any]) -> str:
    """The text of a YAML mapping with some values replaced; missing keys come first in their section.

    A section that is an alias of another ('*name') becomes a copy when only one of the two changes. Raises
    ruamel.yaml.YAMLError for invalid YAML.
    """
    editor = YAML()
    editor.Representer = NullRepresenter
    editor.preserve_quotes = True
    editor.width = 1 << 20  # never wraps a line
    editor.default_flow_style = None  # writes a new list in one line
    document = editor.load(text)
    if document is None:
        document = CommentedMap()
    aliases = list(_copy_aliases(document, set()))
    for keys, value in changes.items():
        section = document
        for key in keys[:-1]:
            if key not in section:
                section.insert(0, key, CommentedMap())
            section = section[key]
        _replace(section, keys[-1], value)
    for section, key, original in aliases:
        if section[key] == original:
            section[key] = original
    stream = io.StringIO()
    editor.dump(document, stream)
    return stream.getvalue()


def _copy_aliases(section: CommentedMap, seen: set[int]) -> Iterator[tuple[CommentedMap, str, CommentedMap]]:
    """Replaces every alias of a section by a copy; yields the parent, the key and the original of each."""
    for key, value in section.items():
        if not isinstance(value, CommentedMap):
            continue
        if id(value) in seen:
            copy = CommentedMap({name: deepcopy(inner) for name, inner in value.items()})
            copy.fa.set_block_style()
            section[key] = copy
            yield section, key, value
        else:
            seen.add(id(value))
            yield from _copy_aliases(value, seen)


def _replace(section: CommentedMap, key: str, value: Any) -> None:
    """Sets a value; the comment after the last item of a replaced list or mapping stays."""
    if key not in section:
        section.insert(0, key, value)
        return
    comment, last = None, section[key]
    while isinstance(last, CommentedMap | CommentedSeq) and len(last):
        place, slot = (next(reversed(last)), 2) if isinstance(last, CommentedMap) else (len(last) - 1, 0)
        comment = last.ca.items[place][slot] if place in last.ca.items else None
        last = last[place]
    if comment:
        section.ca.items[key] = [None, None, comment, None]
    section[key] = value
