"""Where no page starts a widget, HTML streams; a loop that was held is no silence of the page."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nbgemini.notebook.display import canvas as module
from nbgemini.notebook.display.canvas import Painting, Refresh
from nbgemini.notebook.kernel.output_routing import Straight


@pytest.fixture
def clock(monkeypatch):
    """The seconds that have passed, for a test to set."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def begun(refresh):
    one = Painting("widgets", Straight(), refresh, 10, shows_errors=False)
    one._use(SimpleNamespace(keep=lambda _: None))
    widget = one.widget(lambda _: SimpleNamespace(greeted=0, model_id="w"))
    return one, widget


def test_a_page_that_stays_silent_gets_html_and_so_do_the_next_streams(clock):
    refresh = Refresh()
    one, widget = begun(refresh)
    for second in range(8):
        clock[0] = float(second)
        one.note_page(widget)
    assert not one.widgets
    assert refresh.no_widgets
    widget.greeted = 1  # late, but heard
    assert not refresh.no_widgets


def test_widgets_that_are_loaded_are_used_at_once():
    import nbgemini.notebook.display.widget  # noqa: F401 - as an earlier prompt did

    painting = Painting("widgets", Straight(), Refresh(), 10, shows_errors=False)
    painting.begin()
    assert painting.widgets


def test_a_loop_that_was_held_is_no_silence(clock):
    refresh = Refresh()
    one, widget = begun(refresh)
    one.note_page(widget)
    clock[0] = 60.0  # a cell computed for a minute
    one.note_page(widget)
    assert one.widgets
    assert not refresh.no_widgets
