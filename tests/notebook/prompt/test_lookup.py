"""What -a names: a name first, then the last plot, a file, a pattern; what it doesn't find it says, with what is near.

What --schema names is read as a type hint is, and nothing in it is called.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Annotated, Generic, Literal, Optional, TypeVar

import pytest
from pydantic import BaseModel

from nbgemini.errors import PromptError
from nbgemini.notebook.options import parse_ask
from nbgemini.notebook.prompt.lookup import MOST_FILES, named_attachments, named_tool, named_type, rows_named


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "c.txt", "report.pdf"):
        (tmp_path / name).write_text(name)
    (tmp_path / "sub").mkdir()
    return tmp_path


def named(word, names=None, plot=None):
    return [(item.name, item.value) for item in named_attachments(word, names or {}, plot)]


def files(word, names=None):
    return [item.name for item in named_attachments(word, names or {}) if item.value.is_file()]


def test_a_name_comes_before_a_file_of_that_name(folder):
    (folder / "data").write_text("file")
    assert named("data", {"data": [1, 2]}) == [("data", [1, 2])]
    assert files("data") == ["data"]


@pytest.mark.usefixtures("folder")
def test_attributes_and_files_with_dots():
    names = {"model": SimpleNamespace(fig=7), "report": SimpleNamespace()}
    assert named("model.fig", names) == [("model.fig", 7)]
    assert files("report.pdf", names) == ["report.pdf"]


def test_a_pattern_means_its_files_in_order(folder):
    assert files("*.png") == ["a.png", "b.png"]
    assert files(str(folder / "*.p*")) == ["a.png", "b.png", "report.pdf"]


def test_a_path_in_a_variable_is_its_file(folder):
    names = {"path": folder / "c.txt", "paths": [folder / "a.png", folder / "b.png"], "list": []}
    assert files("path", names) == ["c.txt"]
    assert files("paths", names) == ["a.png", "b.png"]
    assert named("list", names) == [("list", [])]


@pytest.mark.parametrize("value", ["c.txt", "*.png", "~/c.txt", ["a.png", "b.png"], ("c.txt",), "/etc/passwd"])
def test_text_in_a_variable_is_text_and_opens_nothing(folder, value):
    (folder / "*.png").write_text("a file that is called as a pattern")
    assert named("it", {"it": value}) == [("it", value)]


def test_plot_is_the_last_picture_shown_unless_it_is_a_name():
    assert named("plot", plot=b"png") == [("plot", b"png")]
    assert named("plot", {"plot": 1}, b"png") == [("plot", 1)]
    with pytest.raises(PromptError, match="no cell has shown a figure yet"):
        named("plot")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("reprot.pdf", r"no name and no file 'reprot\.pdf' \(did you mean report\.pdf\?\)"),
        ("sales_dta", r"\(did you mean sales_data\?\)"),
        ("*.jpg", r"no file matches '\*\.jpg'"),
        ("sub", r"sub is a folder; -a 'sub/\*' takes its files"),
        ("nowhere/else.txt", "no name and no file"),
        ("a.png,c.txt", "one name or file at a time → -a a.png -a c.txt"),
        ("sub/*", r"no file matches 'sub/\*'; nothing was sent"),
        ("https://example.com/a.png", "is an address → name it in the prompt with --urls, or download it; nothing was sent"),
        ("sales_data['a'].head()", "is code, and none runs here → give what it returns a name"),
        ("sales_data,c.txt", r"one name or file at a time → -a sales_data -a c\.txt; nothing was sent"),
        ("/dev/null", "/dev/null is no regular file; nothing was sent"),
        ("x" * 300, "no name and no file"),
        ("~nobody-is-called-so/a.txt", "no name and no file"),
    ],
)
def test_what_is_not_there_is_one_line_with_what_is_near(word, said):
    with pytest.raises(PromptError, match=said) as error:
        named(word, {"sales_data": 1})
    assert "\n" not in str(error.value)


class Broken:
    @property
    def value(self):
        raise RuntimeError("no such luck")


@pytest.mark.parametrize(
    "look",
    [
        lambda names: named("thing.value", names),
        lambda names: named_tool(names, "thing.value"),
        lambda names: named_type(names, "thing.value"),
        lambda names: rows_named(names, "thing.value"),
    ],
)
def test_a_property_that_raises_is_one_line_wherever_it_is_named(look):
    with pytest.raises(PromptError, match="value can't be read, RuntimeError: no such luck; nothing was sent"):
        look({"thing": Broken()})


def test_too_many_files_are_none(folder):
    for number in range(MOST_FILES + 1):
        (folder / f"{number}.csv").write_text("x")
    with pytest.raises(PromptError, match=rf"\*\.csv matches {MOST_FILES + 1} files, more than {MOST_FILES}"):
        named("*.csv")


def test_a_file_of_a_pattern_knows_its_pattern(folder):
    assert {item.among for item in named_attachments("*.png", {})} == {"*.png"}
    assert {item.among for item in named_attachments("it", {"it": [folder / "a.png", folder / "c.txt"]})} == {"it"}
    assert [item.among for item in named_attachments("a.png", {})] == [""]
    assert [item.among for item in named_attachments("it", {"it": folder / "a.png"})] == [""]


class Planet:
    pass


class Colour(enum.Enum):
    RED = 1


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    """Makes a type of its own of `Box[int]`, if it can."""

    item: T


NAMES = {
    "Box": Box,
    "Planet": Planet,
    "Colour": Colour,
    "models": SimpleNamespace(Planet=Planet),
    "number": 5,
    "make": lambda: Planet,
}


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("Planet", Planet),
        ("models.Planet", Planet),
        ("list[Planet]", list[Planet]),
        ("dict[str, int]", dict[str, int]),
        ("Planet | None", Planet | None),
        ("list[Planet | int]", list[Planet | int]),
        ("Literal['yes', 'no']", Literal["yes", "no"]),
        ("Literal[1, -2]", Literal[1, -2]),
        ("Optional[Planet]", Optional[Planet]),  # noqa: UP045 - as it is written
        ("Annotated[int, 'a']", Annotated[int, "a"]),
        ("tuple[int, ...]", tuple[int, ...]),
        ("Colour", Colour),
    ],
)
def test_a_type_as_in_a_hint(written, kind):
    assert named_type(NAMES, written) == kind
    ask, rest = parse_ask(
        f"--schema {written} what is there?" if " | " not in written else f'--schema "{written}" what is there?'
    )
    assert (ask.schema, rest) == (written, "what is there?")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("Plant", r"no type 'Plant' in this notebook \(did you mean Planet\?\)"),
        ("list[Colours]", r"no type 'Colours' in this notebook \(did you mean Colour\?\)"),
        ("number", "number is a value of type int, not a type; use a pydantic model, a dataclass or a TypedDict"),
        ("Box[Planet]", "Planet can't be read from JSON; use a pydantic model"),
        ("make", "make is a value of type function"),
        ("make()", r"'make\(\)' is too complex"),
        ("models.Moon", "no attribute 'Moon'"),
        ("Planet[int]", r"'Planet' is not a type"),
        ("list[", "is not a type; write"),
        ("Literal[yes]", "is not a Python literal"),
        ("Planet | 5", "is not a type"),
        ("'Planet'", "is a value of type str"),
    ],
)
def test_what_is_no_type_is_one_line_with_the_nearest_name(written, why):
    with pytest.raises(PromptError, match=why) as caught:
        named_type(NAMES, written)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "schema", "rest"),
    [
        ("--schema list[Planet]", "list[Planet]", ""),
        ("--schema dict[str, int] -f json", "dict[str, int]", ""),
        ("--schema 'dict[str, int]' hello [a]", "dict[str, int]", "hello [a]"),
        ('--schema Literal["yes", "no"] is it?', 'Literal["yes", "no"]', "is it?"),
        ("--schema=Planet hi", "Planet", "hi"),
    ],
)
def test_where_a_type_ends(line, schema, rest):
    ask, left = parse_ask(line)
    assert (ask.schema, left) == (schema, rest)
