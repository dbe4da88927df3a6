"""The documentation says what the program does: links lead somewhere, pages agree with the source, scripts run as they stand."""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import re
import runpy
import tomllib

import pytest

from nbgemini.cli import _parser
from nbgemini.messages import events
from nbgemini.offline.server import OfflineService
from tests.support.documents import PAGES, ROOT, blocks, docstring_blocks

DOCS = ROOT / "docs"
SCRIPTS = [block for page in PAGES for block in blocks(page) if block.language == "python"]
SHELL = [line.removeprefix("$ ") for page in PAGES for block in blocks(page) if block.language == "console" for line in block.code.splitlines()]  # fmt: skip
LANGUAGES = {"ipython", "python", "console", "text", "ini", "{toctree}", "{include}", "{eval-rst}"}


def test_generated_pages_are_what_the_source_says():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for page, text in module.pages().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name} is old: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, heading in re.findall(r"\]\(([^)#:]*)(#[^)]*)?\)", text):
        path = (page.parent / target if target else page).resolve()
        if path.parent == DOCS / "examples" and not path.suffix:
            path = ROOT / "notebooks" / f"{path.name}.ipynb"
        elif path.parent == DOCS / "examples" and path.suffix == ".ipynb":
            path = ROOT / "notebooks" / path.name
        assert path.exists(), target
        if heading:
            there = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading[1:] in [re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in there], heading


def test_every_page_is_in_a_table_of_contents():
    listed = set()
    for page in DOCS.rglob("*.md"):
        for block in blocks(page):
            if block.language == "{toctree}":
                listed |= {(page.parent / name).with_suffix("") for name in block.code.split("\n") if name and name[0] != ":"}
    assert {page.with_suffix("") for page in DOCS.rglob("*.md") if "_build" not in page.parts} - listed == {DOCS / "index"}


def test_every_picture_is_in_one_folder_and_made_by_one_script():
    shown = {name for page in PAGES for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))}
    assert {name.rpartition("pictures/")[2] for name in shown} == {path.name for path in (DOCS / "pictures").iterdir()}
    assert all(path.stat().st_size < 2_000_000 for path in (DOCS / "pictures").iterdir())


def test_files_that_the_architecture_names_exist():
    page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8").partition("## Which file")[2]
    named = re.findall(r"`([\w/]+(?:\.\w+|/))`", page)
    assert len(named) > 40
    assert [name for name in named if not (ROOT / "src" / "nbgemini" / name).exists()] == []


def test_what_the_reference_takes_from_docstrings_exists():
    named = [
        name for page in PAGES for name in re.findall(r"^\.\. auto\w+:: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(named) > 8
    for name in named:
        assert pkgutil.resolve_name(name).__doc__, name


def test_no_property_is_read_as_a_type_and_a_description():
    """Sphinx reads what stands before a colon in a property's first line as its type."""
    named = re.findall(
        r"^\.\. autoclass:: (\S+)", (DOCS / "reference" / "python-api.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    for home in map(pkgutil.resolve_name, named):
        properties = inspect.getmembers(home, lambda member: isinstance(member, property))
        lines = {name: (member.__doc__ or "").partition("\n")[0] for name, member in properties}
        assert {name: line for name, line in lines.items() if ":" in line} == {}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which services are there?", "openai-chat"),
        ("Is a request retried?", "retry_after"),
        ("What do its buttons say, such as Stop?", "■ Stop"),
        ("Where do thoughts become accordions?", "accordion"),
        ("What may leave the machine?", "PromptError"),
        ("What HTML may reach a page?", "nh3"),
        ("Which options does", "--schema"),
        ("What does it cost?", "per million"),
        ("How many rows of a map at once?", "class "),
        ("What does an interrupt between cells do?", "SIGINT"),
    ],
)
def test_a_stranger_finds_the_file_for(question, answer):
    page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("|") and question in line]
    file = ROOT / "src" / "nbgemini" / re.findall(r"`([\w/]+\.\w+)`", row.split("|")[2])[0]
    assert answer.lower() in file.read_text(encoding="utf-8").lower()


def test_files_that_contributing_names_exist():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w/.]+/[\w/.]*)`", page) if "NAME" not in name]
    assert named
    assert [name for name in named if not ((ROOT / name).exists() or (ROOT / "src" / "nbgemini" / name).exists())] == []


def test_the_table_of_events_is_whole():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", (DOCS / "reference" / "events.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", fields)) for name, fields in rows} == {
        event.__name__: event.__struct_fields__ for event in events.Event.__subclasses__()
    }


def test_every_guarantee_names_tests_that_exist():
    rows = [line for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines() if "`tests/" in line]
    assert len(rows) >= 20
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert named
        assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_block_says_what_it_is():
    assert {block.place: block.language for page in PAGES for block in blocks(page) if block.language not in LANGUAGES} == {}


def test_the_page_of_the_command_line_names_every_command_and_option():
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    commands = _parser()._subparsers._group_actions[0].choices
    for name, parser in commands.items():
        assert f"`nbgemini {name}`" in page
        options = {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}
        assert [option for option in options if f"`nbgemini {name} {option}" not in page] == []


@pytest.mark.parametrize("line", sorted(set(SHELL)))
def test_every_command_for_a_shell_exists(line):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    program, *words = re.sub(r"#.*", "", line).split()
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(words) <= set(targets)
    elif program == "pip":
        extras = re.findall(r"nbgemini\[(\w+)\]", line)
        assert "nbgemini" in line
        assert set(extras) <= set(project["optional-dependencies"])
    elif program == "nbgemini":
        _parser().parse_args(words)
    else:
        assert program == "pytest"  # for the reader's own notebook; tests/kernel/test_front_ends.py runs nbval


@pytest.fixture(scope="module")
def offline():
    with OfflineService(pace=0) as service:
        yield service


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda block: block.place)
def test_a_script_runs_as_it_stands(script, offline, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMINI_API_KEY", "a-good-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", offline.url)
    (tmp_path / "script.py").write_text(script.code, encoding="utf-8")
    runpy.run_path(str(tmp_path / "script.py"), run_name="__main__")
    assert capsys.readouterr().out.strip()


def test_no_docstring_holds_code_that_nothing_runs():
    """There is none today; the first one is to be run like the scripts above."""
    assert docstring_blocks() == []


def test_the_script_that_makes_the_pictures_can_begin():
    module = runpy.run_path(str(DOCS / "make_pictures.py"), run_name="pictures")
    assert module["PICTURES"] == DOCS / "pictures"
