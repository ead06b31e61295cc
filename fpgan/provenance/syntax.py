"""The syntax of Python files: top-level definitions, the names that they mention, and canonical text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

SPELLING = {"ctx", "kind", "type_comment"}
"""Fields of syntax trees that follow from the other fields or have no effect."""


@dataclass
class Module:
    """The top level of a file."""

    name: str
    package: str
    """The package that contains it, or itself."""
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    """Statements by the name that they define; those that define no name under ''."""
    imports: dict[str, set[str]] = field(default_factory=dict)
    """Origins of imported names: full dotted names."""
    stars: set[str] = field(default_factory=set)
    """Modules imported with *."""


def read_module(name: str, package: str, tree: ast.Module) -> Module:
    """Sorts the top-level statements of a file."""
    module = Module(name, package)
    for statement in tree.body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                _bind(module, statement)
                continue
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = {statement.name}
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                names = {each for target in targets for each in _defined(target)} or {""}
            case _:  # conditions and the like may define names and import others
                names = _defined(statement) | {""}
                _bind(module, statement)
        for each in names:
            module.definitions.setdefault(each, []).append(statement)
    return module


def _defined(node: ast.AST) -> set[str]:
    """The names that a node assigns or defines."""
    names = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            names.add(each.id)
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(each.name)
    return names


def _bind(module: Module, statement: ast.stmt) -> None:
    """Adds the imports in a statement to a module."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            for each in node.names:
                origin = each.name if each.asname else each.name.partition(".")[0]
                module.imports.setdefault(each.asname or origin, set()).add(origin)
        elif isinstance(node, ast.ImportFrom):
            above = module.package.split(".")[: 1 - node.level or None] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for each in node.names:
                if each.name == "*":
                    module.stars.add(source)
                else:
                    module.imports.setdefault(each.asname or each.name, set()).add(f"{source}.{each.name}")


def mentions(module: Module, statements: list[ast.stmt]) -> Iterator[tuple[list[str], set[str]]]:
    """The names in statements, each with its attributes, and the origins of the name if it is imported."""
    inside = Module(module.name, module.package)
    for statement in statements:
        _bind(inside, statement)
    for statement in statements:
        for chain in _chains(statement):
            yield chain, module.imports.get(chain[0], set()) | inside.imports.get(chain[0], set())


def _chains(node: ast.AST, *, annotation: bool = False) -> Iterator[list[str]]:
    """The names in a node, each with its attributes; in annotations also within quotes."""
    chain: list[str] = []
    base = node
    while isinstance(base, ast.Attribute):
        chain.insert(0, base.attr)
        base = base.value
    if isinstance(base, ast.Name):
        yield [base.id, *chain]
        return
    if annotation and isinstance(node, ast.Constant) and isinstance(node.value, str):
        with suppress(SyntaxError):
            yield from _chains(ast.parse(node.value, mode="eval"))
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _chains(child, annotation=annotation or name in ("annotation", "returns"))


def functions(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The functions among statements, and the methods of the classes."""
    bodies = (each.body if isinstance(each, ast.ClassDef) else [each] for each in statements)
    return [each for body in bodies for each in body if isinstance(each, ast.FunctionDef)]


def canonical(node: object) -> str:
    """A syntax tree, or a list of them, as text that does not depend on formatting or the version of Python.

    `ast.dump` and `ast.unparse` do: they differ in empty fields and in the quotes within f-strings.
    """
    if isinstance(node, list):
        return f"[{' '.join(canonical(each) for each in node if not _is_remark(each))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={canonical(value)}"
        for name, value in ast.iter_fields(node)
        if name not in SPELLING and value not in (None, [])
    ]
    return f"{type(node).__name__}({' '.join(fields)})"


def _is_remark(node: object) -> bool:
    """Whether a statement is an import or consists of a text, as docstrings do."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return isinstance(node, ast.Import | ast.ImportFrom)
