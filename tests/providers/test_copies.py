"""What two senders do alike stands in one scheme: a provider states what only its sender does."""

from __future__ import annotations

import ast
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import hookline.providers


def methods(path: Path) -> set[tuple[str, str]]:
    """Name and body of each method, whatever its docstring says."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            found.add((node.name, "\n".join(ast.dump(line) for line in body)))
    return found


def test_no_two_providers_share_more_than_two_methods() -> None:
    modules = sorted(Path(hookline.providers.__path__[0]).glob("*.py"))
    shared: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (one, its), (other, others) in combinations([(path.stem, methods(path)) for path in modules], 2):
        for name, _ in sorted(its & others):
            shared[one, other].append(name)
    assert len(modules) > 100
    assert {pair: names for pair, names in shared.items() if len(names) > 2} == {}
