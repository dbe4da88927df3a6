"""What the sanitiser leaves of attributes."""

from __future__ import annotations

from nbgemini.render.sanitize import sanitize


def test_a_link_goes_to_a_page_of_its_own_whatever_it_says():
    assert 'target="_blank"' in sanitize('<a href="https://a.example/" target="top">x</a>')
    assert "target" not in sanitize('<p target="top">x</p>')


def test_cells_of_a_table_are_aligned_as_tables_are():
    table = "<table><tbody><tr><td><div align={}>x</div></td></tr></tbody></table>"
    assert 'align="right"' in sanitize(table.format("right"))
    assert "align" not in sanitize(table.format("justify"))
