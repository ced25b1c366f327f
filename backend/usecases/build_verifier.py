"""Build the stand-alone verifier: the modules that check offline, joined into one file of the standard library."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache

from rewards import (
    ed25519,
    leaves,
    merkle,
    notes,
    offline,
    offline_certificates,
    offline_deeds,
    offline_script,
    retirement,
    serials,
)
from rules import replay

# In this order, each needs those before it only. The last has the command line.
MODULES = (
    replay, merkle, notes, leaves, ed25519, serials, retirement, offline, offline_certificates, offline_deeds,
    offline_script,
)  # fmt: skip
ROOMS = ("rules", "rewards")


@cache
def build_verifier() -> str:
    """The script, the same at every call."""
    return join({module.__name__: inspect.getsource(module) for module in MODULES})


def join(sources: dict[str, str]) -> str:
    """Module name -> source, in an order in which each needs only those before it; the script has the last one's
    docstring and `main`.

    Raises ValueError when two define the same name, or one imports something else of ours than a name defined before.
    """
    defined_in: dict[str, str] = {}
    imports: set[tuple[str, str]] = set()
    sections = []
    last = [*sources][-1]
    for name, source in sources.items():
        tree = ast.parse(source)
        dropped = [node for node in tree.body if _is_dropped(node, keeps_main=name == last)]
        imports.update(_imported(name, dropped, defined_in))
        for defined in {one for node in tree.body if node not in dropped for one in _defined(node)}:
            if defined_in.setdefault(defined, name) != name:
                raise ValueError(f"{defined} is defined in {defined_in[defined]} and in {name}")
        sections.append(_section(name, source, ast.get_docstring(tree) or "", dropped))
    start = f'#!/usr/bin/env python3\n"""{ast.get_docstring(ast.parse(sources[last]))}\n"""\n'
    return "\n".join([start, "from __future__ import annotations\n", *_import_lines(imports), *sections])


def _is_dropped(node: ast.stmt, *, keeps_main: bool) -> bool:
    """Docstrings, imports, and what only a module that is run by itself needs."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return not keeps_main and (isinstance(node, ast.If) or (isinstance(node, ast.FunctionDef) and node.name == "main"))


def _imported(name: str, nodes: list[ast.stmt], defined_in: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(module, name of it or "") of the standard library. Raises ValueError for one of ours that is not defined yet."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in ROOMS:
            for alias in node.names:
                if alias.asname or defined_in.get(alias.name) != node.module:
                    raise ValueError(f"{name} imports {alias.name} of {node.module}, which is no name defined before")
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield from ((str(node.module), alias.name) for alias in node.names)


def _import_lines(imports: set[tuple[str, str]]) -> Iterator[str]:
    for module in sorted({module for module, _ in imports}):
        if (module, "") in imports:
            yield f"import {module}"
        if names := sorted(name for one, name in imports if one == module and name):
            yield f"from {module} import {', '.join(names)}"


def _defined(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))


def _section(name: str, source: str, docstring: str, dropped: list[ast.stmt]) -> str:
    """A module's code as it is written, with its comments, under its name and docstring."""
    gone = {line for node in dropped for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    kept = [line for number, line in enumerate(source.splitlines(), 1) if number not in gone and line[:2] != "#!"]
    code = re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept).strip("\n"))
    title = "".join(f"# {line}".rstrip() + "\n" for line in docstring.splitlines())
    return f"\n\n# {'=' * 118}\n# {name}\n#\n{title}\n{code}\n"
