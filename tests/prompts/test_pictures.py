"""Pictures, plots and charts are seen, by what they can do; what can't be drawn here is refused with the way out."""

from __future__ import annotations

import base64
from io import BytesIO
from types import SimpleNamespace

import pytest

from nbgemini.errors import PromptError
from nbgemini.prompts.images import figure_of, picture_of, takes_time
from nbgemini.prompts.jsonable import converted
from nbgemini.prompts.values import value_to_parts
from tests.fakes.functions import PNG

Image = pytest.importorskip("PIL.Image")
figures = pytest.importorskip("matplotlib.figure")


def seen(value):
    mime, data = picture_of(value)
    assert mime == "image/png"
    return Image.open(BytesIO(data))


class Grid:
    """As seaborn has it."""

    def savefig(self, page, **_):
        page.write(PNG)


class Chart:
    """As plotly has it."""

    def __init__(self, fault=None):
        self.fault = fault

    def write_image(self, file):
        """What it can do besides."""

    def to_image(self, **_):
        if self.fault:
            raise self.fault
        return PNG


class Bundled:
    """As whoever shows pictures by mime type."""

    def __init__(self, data):
        self.data = data

    def _repr_mimebundle_(self, **_):
        return {"image/png": self.data}, {"image/png": {"width": 1}}


class Cloud:
    """As word clouds have it."""

    def to_image(self):
        return Image.new("RGB", (3, 2))


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B", "La", "RGBa", "RGBX"],
)
def test_every_mode_of_pillow_is_a_picture(mode):
    image = seen(Image.new(mode, (4, 3)))
    assert image.size == (4, 3)
    assert image.mode in {"1", "L", "LA", "P", "RGB", "RGBA"}


def test_measured_values_are_shades_from_the_least_to_the_greatest():
    numpy = pytest.importorskip("numpy")
    steps = numpy.arange(12).reshape(3, 4)
    for values in (steps / 11.0, steps * 5_000.0, steps - 6.0):
        assert seen(Image.fromarray(values.astype("float32"))).getextrema() == (0, 255)
    assert seen(Image.fromarray((steps * 5_000).astype("uint16"))).getextrema() == (0, 255)
    assert seen(Image.fromarray(steps.astype("float32"))).getextrema() == (0, 11)  # shades already


def test_transparency_stays():
    assert seen(Image.new("RGBA", (2, 2), (1, 2, 3, 4))).getpixel((0, 0)) == (1, 2, 3, 4)


def test_what_belongs_to_a_figure_is_that_figure():
    figure = figures.Figure(figsize=(2, 1))
    axes = figure.subplots(1, 2)
    lines = axes[0].plot([1, 2])
    bars = axes[1].bar([1, 2], [3, 4])
    part = figures.Figure(figsize=(2, 1))
    inner = part.subfigures(1, 2)
    whole = [figure, axes, axes[0], lines, bars, (figure, axes), {"left": axes[0], "right": axes[1]}, [axes[0], axes[1]]]
    assert all(figure_of(value) is figure for value in whole)
    assert figure_of(inner[0]) is figure_of(inner[1].subplots()) is part
    for holder in (SimpleNamespace(figure=figure), SimpleNamespace(fig=figure), SimpleNamespace(figure_=figure), Grid()):
        assert picture_of(holder)[0] == "image/png"
    bar, errors, stem = axes[0].scatter([1, 2], [1, 2]), axes[0].errorbar([1], [2], [1]), axes[1].stem([1, 2])
    colours = figure.colorbar(bar)
    assert all(figure_of(value) is figure for value in (errors, stem, axes[1].pie([1, 2]), axes[0].boxplot([1, 2]), colours))
    assert len(converted(axes)[1]) == len(converted((figure, axes))[1]) == 1
    assert len(converted([figure, part])[1]) == len(converted([figure, figure])[1]) == 2


@pytest.mark.parametrize("value", [[], {}, (), [1, 2], {"a": 1}, "figure", None, 5, [None], SimpleNamespace(figure=None)])
def test_anything_else_is_no_figure(value):
    assert figure_of(value) is None
    assert picture_of(value) is None


def test_a_list_of_anything_else_is_looked_at_no_farther_than_its_first():
    looked = []

    class Part:
        @property
        def figure(self):
            looked.append(self)

    circle = []
    circle.append(circle)
    assert figure_of(circle) is None
    assert figure_of([[Part()] * 1000] * 1000) is None
    assert len(looked) == 1


@pytest.mark.parametrize("value", [Chart(), Cloud(), Bundled(PNG), Bundled(base64.b64encode(PNG).decode())])
def test_charts_are_drawn_by_what_can_draw_them(value):
    assert seen(value)
    assert "inlineData" in value_to_parts(value, "chart")[0]
    assert len(converted({"chart": value})[1]) == 1


def test_a_chart_that_can_not_be_drawn_is_refused_with_the_way_out():
    chart = Chart(ValueError("no\nbrowser"))
    with pytest.raises(
        PromptError, match=r"^a Chart of tests can't be drawn here \(no browser\) → pip install kaleido"
    ) as raised:
        value_to_parts(chart, "chart")
    assert "\n" not in str(raised.value)
    assert converted(chart)[0]["output"].startswith("a Chart of tests can't be drawn here (no browser) → pip install")


def test_a_chart_of_vega_needs_its_converter(monkeypatch):
    class Vega:
        def to_dict(self):
            return {"$schema": "https://vega.github.io/schema/vega-lite/v6.json"}

        def save(self, _):
            raise AssertionError("nothing is written")

        def transform_filter(self):
            """What only such a chart can do."""

        def _repr_mimebundle_(self, **_):
            return {"text/html": "<script>draw()</script>"}

    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(PromptError, match="→ pip install vl-convert-python, or attach a picture of it"):
        picture_of(Vega())
    drawn = SimpleNamespace(vegalite_to_png=lambda spec: PNG if "$schema" in spec else b"")
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", drawn)
    assert picture_of(Vega()) == ("image/png", PNG)


def test_charts_that_a_browser_draws_hold_nothing_up():
    assert takes_time(Chart())
    assert not takes_time(figures.Figure())
    assert not takes_time("text")


def test_charts_of_the_world():
    seaborn, pandas = pytest.importorskip("seaborn"), pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3, 4], "b": [3.0, 1, 2, 5], "c": list("xxyy")})
    for grid in (seaborn.relplot(frame, x="a", y="b", col="c"), seaborn.jointplot(frame, x="a", y="b")):
        assert seen(grid).size[0] > 100
