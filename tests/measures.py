"""Measures of the source: files, names at the top, layers, lines, and the longest of each kind; `python -m tests.measures`.

Each has its limit in `[tool.nbgemini.measures]` of pyproject.toml; the script exits with 1 if one is over it. Names of measures
(`python -m tests.measures doubles`) list what was counted.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = "nbgemini"


class Measure(NamedTuple):
    """A figure, and what was counted."""

    value: int
    counted: tuple[str, ...] = ()


class Source:
    """The modules of the package, parsed."""

    def __init__(self, folder):
        self.root = folder / PACKAGE
        self.paths = sorted(self.root.rglob("*.py"))
        self.texts = {self.name(path): path.read_text(encoding="utf-8") for path in self.paths}
        self.trees = {name: ast.parse(text) for name, text in self.texts.items()}

    def name(self, path):
        """`nbgemini.chat.reply` for its file; a package has the name of its folder."""
        parts = path.relative_to(self.root.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def imported(self, module):
        """The modules of the package that a module imports, wherever the import stands."""
        found = set()
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                below = {f"{node.module}.{alias.name}" for alias in node.names}
                modules = below & self.trees.keys()
                found |= modules | ({node.module} if len(modules) < len(below) else set())
        return {name for name in found if name in self.trees and name != module}

    def definitions(self, kinds):
        """Every definition of these kinds with its module, methods and inner functions too."""
        for module, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, kinds):
                    yield module, node


def project(path=ROOT / "pyproject.toml"):
    """What the project's file says of its tools."""
    return tomllib.loads(path.read_text(encoding="utf-8"))["tool"]


def files(source):
    return Measure(len(source.paths))


def top_names(source):
    names = {path.relative_to(source.root).parts[0].removesuffix(".py") for path in source.paths} - {"__init__", "__main__"}
    return Measure(len(names), tuple(sorted(names)))


def layers(_source):
    first = project()["importlinter"]["contracts"][0]
    return Measure(len(first["layers"]), tuple(first["layers"]))


def lines(source):
    return Measure(sum(text.count("\n") for text in source.texts.values()))


def single_importers(source):
    importers = defaultdict(list)
    for module in source.trees:
        for name in source.imported(module):
            importers[name].append(module)
    once = {name: who[0] for name, who in importers.items() if len(who) == 1}
    return Measure(len(once), tuple(f"{name} by {who}" for name, who in sorted(once.items())))


def doubles(source):
    """Public classes and functions at the top of more than one module."""
    places = defaultdict(list)
    for module, tree in source.trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                places[node.name].append(module.removeprefix(f"{PACKAGE}."))
    twice = {name: where for name, where in places.items() if len(where) > 1}
    return Measure(len(twice), tuple(f"{name}: {', '.join(where)}" for name, where in sorted(twice.items())))


def verb_forms(source):
    names = [name for name in source.trees if name.endswith(("ing", "ed"))]
    return Measure(len(names), tuple(names))


def longest_file(source):
    sizes = Counter({name: text.count("\n") for name, text in source.texts.items()})
    return _longest(sizes)


def longest_class(source):
    return _longest(_sizes(source, ast.ClassDef))


def longest_function(source):
    return _longest(_sizes(source, (ast.FunctionDef, ast.AsyncFunctionDef)))


def imported_tests(_source, folder=ROOT / "tests"):
    """Modules of tests that another file imports: what two of them need is a helper, and belongs in tests/support."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        modules = re.findall(r"\b(?:from|import) (tests\.(?:\w+\.)*test_\w+)", path.read_text(encoding="utf-8"))
        found += [f"{module} by {path.relative_to(folder)}" for module in modules]
    return Measure(len(found), tuple(found))


def _sizes(source, kinds):
    sizes = Counter()
    for module, node in source.definitions(kinds):
        sizes[f"{module}:{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1
    return sizes


def _longest(sizes):
    most = sizes.most_common(10)
    return Measure(most[0][1], tuple(f"{size} {name}" for name, size in most))


MEASURES = {
    "files": files,
    "top-names": top_names,
    "layers": layers,
    "lines": lines,
    "single-importers": single_importers,
    "doubles": doubles,
    "verb-forms": verb_forms,
    "longest-file": longest_file,
    "longest-class": longest_class,
    "longest-function": longest_function,
    "imported-tests": imported_tests,
}


def main(listed):
    source, limits = Source(ROOT / "src"), project()[PACKAGE]["measures"]
    measured = {name: measure(source) for name, measure in MEASURES.items()}
    over = [name for name, measure in measured.items() if measure.value > limits[name]]
    for name, measure in measured.items():
        longest = f"  {measure.counted[0].partition(' ')[2]}" if name.startswith("longest") else ""
        print(f"{name:17} {measure.value:7,} of {limits[name]:7,}{longest}{'  OVER ITS LIMIT' if name in over else ''}")
    for name in listed:
        print(f"\n{name}:", *measured[name].counted, sep="\n  ")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
