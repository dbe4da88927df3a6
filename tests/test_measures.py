"""The measures count what they say they count."""

from __future__ import annotations

import pytest

from tests import measures


@pytest.fixture
def source(tmp_path):
    files = {
        "__init__.py": "from nbgemini.chat.reply import Reply\n",
        "chat/__init__.py": "",
        "chat/reply.py": "from nbgemini import turns\nimport nbgemini.bulk.mapping\n\nclass Reply:\n    def text(self):\n        return 1\n",
        "bulk/mapping.py": "def run():\n    from nbgemini.turns import Turn\n\nclass Reply:\n    pass\n",
        "turns.py": "class Turn:\n    pass\n\nclass _Own:\n    pass\n",
    }
    for name, text in files.items():
        path = tmp_path / "nbgemini" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return measures.Source(tmp_path)


def test_files_lines_and_names_at_the_top_are_counted(source):
    assert measures.files(source).value == 5
    assert measures.lines(source).value == 17
    assert measures.top_names(source).counted == ("bulk", "chat", "turns")


def test_imports_count_wherever_they_stand_and_once_a_file(source):
    assert source.imported("nbgemini.chat.reply") == {"nbgemini.turns", "nbgemini.bulk.mapping"}
    assert measures.single_importers(source).counted == (
        "nbgemini.bulk.mapping by nbgemini.chat.reply",
        "nbgemini.chat.reply by nbgemini",
    )


def test_a_public_name_of_two_modules_is_a_double_and_a_private_one_is_none(source):
    assert measures.doubles(source).counted == ("Reply: bulk.mapping, chat.reply",)


def test_modules_named_by_a_verb_form_are_told(source):
    assert measures.verb_forms(source).counted == ("nbgemini.bulk.mapping",)


def test_the_longest_are_found_with_their_place(source):
    assert measures.longest_file(source).counted[0] == "6 nbgemini.chat.reply"
    assert measures.longest_class(source).counted[0] == "3 nbgemini.chat.reply:4 Reply"
    assert measures.longest_function(source).value == 2


def test_a_test_that_another_one_imports_is_told(tmp_path):
    for name, text in {
        "test_a.py": "x = 1\n",
        "test_b.py": "from tests." + "test_a import x\n",
        "helper.py": "y = 2\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert measures.imported_tests(None, tmp_path).counted == ("tests.test_a by test_b.py",)


def test_the_script_prints_all_and_fails_over_a_limit(monkeypatch, capsys):
    limits = dict.fromkeys(measures.MEASURES, 10**9)
    contracts = measures.project()["importlinter"]
    monkeypatch.setattr(measures, "project", lambda: {"nbgemini": {"measures": limits}, "importlinter": contracts})
    assert measures.main(["doubles"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in measures.MEASURES)
    limits["files"] = 1
    assert measures.main([]) == 1
    assert "OVER ITS LIMIT" in capsys.readouterr().out
