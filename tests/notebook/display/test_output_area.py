"""What prompts show inside an ipywidgets Output, whatever a page tells of it, and when."""

from __future__ import annotations

import asyncio
from collections import deque

from hypothesis import given, strategies as st
from traitlets import HasTraits, Tuple, Unicode

from nbgemini.notebook.display.output_area import VIEW, OutputArea


def html(text):
    return {"output_type": "display_data", "data": {"text/html": text}, "metadata": {}}


def live(number):
    return {"output_type": "display_data", "data": {VIEW: {"model_id": f"w{number}"}, "text/html": "live"}, "metadata": {}}


def finals(number):
    return [html("<p>the same thought</p>"), html(f"<p>answer {number}</p>"), html("the same status")]


class Output(HasTraits):
    """An Output whose page hears of changes, and tells of its own, only when a test delivers them."""

    outputs = Tuple()
    msg_id = Unicode("cell")

    def __init__(self):
        super().__init__()
        self.page, self.to_page, self.to_kernel, self._told = [], deque(), deque(), False
        self.observe(self._note, "outputs")

    def _note(self, change):
        if not self._told:
            self.to_page.append(("write", list(change["new"])))

    def show(self, output, display_id, *, update):
        """What a cell's outputs do inside the block: the page appends them."""
        assert not update, display_id
        self.to_page.append(("append", output))

    def deliver(self, queue):
        if queue == "to page" and self.to_page:
            what, outputs = self.to_page.popleft()
            if what == "write":
                self.page = outputs
            else:
                self.page = [*self.page, outputs]
                self.to_kernel.append(list(self.page))
        if queue == "to kernel" and self.to_kernel:
            self._told = True
            self.outputs = tuple(self.to_kernel.popleft())
            self._told = False

    async def settle(self):
        while self.to_page or self.to_kernel:
            self.deliver("to page")
            self.deliver("to kernel")
            await asyncio.sleep(0)

    def texts(self):
        return [output["data"].get(VIEW, {}).get("model_id") or output["data"]["text/html"] for output in self.page]


def texts(outputs):
    return [output["data"]["text/html"] for output in outputs]


def show_all(area, number):
    for place, output in enumerate(finals(number)):
        area.show(output, f"{number}-{place}", update=place == 0)


STEPS = st.lists(
    st.sampled_from(["to page", "to kernel", "refresh 0", "refresh 1", "live 0", "live 1", "end 0", "end 1"]), max_size=40
)


@given(STEPS)
def test_two_prompts_of_one_cell_stand_there_whole_in_whatever_order_page_and_kernel_hear_of_each_other(steps):
    async def play():
        widget = Output()
        areas = [OutputArea(widget, widget) for _ in range(2)]
        for number, area in enumerate(areas):
            area.show(html("waiting for its turn"), f"{number}-0", update=False)
        widget.msg_id = ""  # the block is left
        for step in steps:
            what, _, which = step.partition(" ")
            if what == "to":
                widget.deliver(step)
                await asyncio.sleep(0)
            elif what == "refresh":
                areas[int(which)].refresh()
            elif what == "live" and len(areas[int(which)].wanted) == 1:
                areas[int(which)].show(live(which), f"{which}-0", update=True)
            elif what == "end":
                show_all(areas[int(which)], which)
        for number, area in enumerate(areas):
            show_all(area, number)
        await widget.settle()
        for area in areas:
            area.refresh()
        await widget.settle()
        assert widget.texts() == [*texts(finals(0)), *texts(finals(1))]
        assert all(area.refresh() for area in areas)

    asyncio.run(play())


async def test_what_is_cleared_stays_away_and_the_next_prompt_stands_alone():
    widget = Output()
    for number in range(3):
        widget.msg_id = "cell"
        area = OutputArea(widget, widget)
        area.show(html("waiting for its turn"), "0", update=False)
        widget.msg_id = ""
        await widget.settle()
        for place, output in enumerate(finals("x")):
            area.show(output, str(place), update=place == 0)
        area.refresh()
        await widget.settle()
        assert widget.texts() == texts(finals("x")), number
        widget.page = []
        widget.to_kernel.append([])
        await widget.settle()
        assert widget.texts() == []


async def test_what_others_put_into_it_stays_where_it_is():
    widget = Output()
    area = OutputArea(widget, widget)
    widget.to_page.append(("append", html("before")))
    area.show(html("waiting for its turn"), "0-0", update=False)
    widget.to_page.append(("append", html("behind")))
    widget.msg_id = ""
    await widget.settle()
    show_all(area, 0)
    assert area.refresh()
    await widget.settle()
    assert widget.texts() == ["before", *texts(finals(0)), "behind"]
