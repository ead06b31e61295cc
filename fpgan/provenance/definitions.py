"""The definitions of a package that some of them reach, each with a digest.

A definition is a function, class or assignment at the top level of a module. It reaches every definition that
it mentions, annotations included: they tell whose methods may be called. A reached module adds its other
top-level statements, and those of the packages above it, because they run when it is imported.

Comments, docstrings, formatting and import statements are not digested; the origins of the imported names
that a definition mentions are.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fpgan.errors import InputError
from fpgan.provenance.syntax import Module, canonical, functions, mentions, read_module

DIGITS = 12
"""Hexadecimal digits of a definition's digest."""


class Key(NamedTuple):
    """The full name of a definition."""

    module: str
    name: str
    """Within the module; empty for the statements that define no name."""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass
class Definition:
    """The statements that define a name, digested."""

    digest: str
    """Empty if none of them is digested."""
    reaches: set[Key]
    """Directly."""


class Package:
    """A package as its files are now.

    Mentions of `ends` (packages, modules or definitions) are not followed. In `schemas`, modules that declare
    parameters, only functions and methods are digested, because DVC compares the parameters' values itself.
    """

    def __init__(self, folder: Path, *, ends: Collection[str] = (), schemas: Collection[str] = ()) -> None:
        self._folder = folder
        self._ends = ends
        self._schemas = schemas
        self._modules: dict[str, Module | None] = {}
        self._definitions: dict[Key, Definition] = {}

    def reached(self, entries: Iterable[str]) -> dict[str, str]:
        """Digests by full name, sorted, of all definitions reached from `entries` (definitions or modules).

        An entry may lie in `ends`. Raises LookupError if there is no such definition or module, and
        InputError for a file that Python cannot parse.
        """
        waiting: set[Key] = set()
        for entry in entries:
            found = self._resolve(entry)
            if not any(entry in (str(key), key.module) for key in found):
                raise LookupError(f"{entry}: no such module or definition")
            waiting |= found
        seen: set[Key] = set()
        while waiting:
            key = waiting.pop()
            seen.add(key)
            waiting |= self._definition(key).reaches - seen
        digests = {str(key): self._definition(key).digest for key in seen}
        return {name: digest for name, digest in sorted(digests.items()) if digest}

    def _definition(self, key: Key) -> Definition:
        if key not in self._definitions:
            self._definitions[key] = self._examine(key)
        return self._definitions[key]

    def _examine(self, key: Key) -> Definition:
        module = self._module(key.module)
        assert module, "keys are made of modules that exist"
        statements = module.definitions.get(key.name, [])
        digested = functions(statements) if key.module in self._schemas else statements
        parts = key.module.split(".")
        reaches = {Key(".".join(parts[:count]), "") for count in range(1, len(parts) + 1)}
        for chain, origins in mentions(module, statements):
            if chain[0] in module.definitions:
                reaches.add(Key(module.name, chain[0]))
            for origin in origins:
                reaches |= self._resolve(".".join((origin, *chain[1:])))
        if not key.name:
            reaches = reaches.union(*map(self._resolve, module.stars))
        followed = {each for each in reaches if not self._ended(str(each))}
        return Definition(self._digest(module, digested), followed)

    def _digest(self, module: Module, statements: list[ast.stmt]) -> str:
        content = canonical(statements)
        if content == canonical([]):
            return ""
        origins = {
            f"{chain[0]} = {origin}"
            for chain, origins in mentions(module, statements)
            for origin in origins
            if not self._ended(origin)
        }
        text = "\n".join((content, *sorted(origins)))
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]

    def _ended(self, name: str) -> bool:
        return any(f"{name}.".startswith(f"{end}.") for end in self._ends)

    def _resolve(self, path: str) -> set[Key]:
        """The definitions that a dotted name stands for; empty for names outside of the package."""
        parts = path.split(".")
        modules = (self._module(".".join(parts[:count])) for count in range(len(parts), 0, -1))
        module = next((each for each in modules if each), None)
        if module is None:
            return set()
        rest = parts[module.name.count(".") + 1 :]
        names = module.definitions.keys() & {rest[0]} if rest else module.definitions.keys()
        found = {Key(module.name, name) for name in {"", *names}}
        for origin in module.imports.get(rest[0], ()) if rest else ():
            found |= self._resolve(".".join((origin, *rest[1:])))
        return found

    def _module(self, name: str) -> Module | None:
        if name not in self._modules:
            self._modules[name] = self._parse(name)
        return self._modules[name]

    def _parse(self, name: str) -> Module | None:
        first, *parts = name.split(".")
        if first != self._folder.name:
            return None
        path = self._folder.joinpath(*parts)
        packages = {path / "__init__.py": name, path.with_suffix(".py"): name.rpartition(".")[0]}
        for file, package in packages.items():
            if file.is_file():
                try:
                    return read_module(name, package, ast.parse(file.read_bytes()))
                except SyntaxError as error:
                    raise InputError(f"{file}:{error.lineno}: not valid Python: {error.msg}") from None
        return None
