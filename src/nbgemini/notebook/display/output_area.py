"""A display, and where it goes: below a cell, or into the ipywidgets Output that takes in what the cell displays.

An Output (`with out:`, `@out.capture()`) appends what is displayed inside it, knows no updates, and hears nothing any more
once the block is left. So its list of outputs is rewritten from here: the page tells the kernel of it, and takes the new one.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import Any, Literal
from uuid import uuid4

from nbgemini.notebook.kernel.environment import current_request, execution_id
from nbgemini.notebook.kernel.output_routing import Route
from nbgemini.render.mimebundle import as_live

VIEW = "application/vnd.jupyter.widget-view+json"
_CONTENTS = "_nbgemini_contents"  # of an Output
_PATIENCE = 50  # looks, a tenth of a second apart, for what a page tells of an Output


class CellArea:
    """The outputs below one cell; what the cell clears while more is to come is shown again."""

    def __init__(self, shell: Any, route: Route) -> None:
        self._shell = shell
        self._route = route
        self._publisher = shell.display_pub
        self._cell = execution_id(shell)
        self._shown: dict[str, dict[str, Any]] = {}
        self._cleared = False

    def watch(self) -> None:
        """Hear of `clear_output()` in this cell; before ipykernel 6.29 there is no telling."""
        if hasattr(self._publisher, "register_hook"):
            self._publisher.register_hook(self._hear)

    def close(self) -> None:
        """Hear no more."""
        if hasattr(self._publisher, "unregister_hook"):
            self._publisher.unregister_hook(self._hear)

    def _hear(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["header"]["msg_type"] == "clear_output" and message["parent_header"].get("msg_id") == self._cell:
            self._cleared = True
        return message

    def show(self, output: dict[str, Any], display_id: str, *, update: bool) -> None:
        """Show an output, or show it in the place of what has this id."""
        self.refresh()
        self._shown[display_id] = output
        self._publish(output, display_id, update=update)

    def _publish(self, output: dict[str, Any], display_id: str, *, update: bool) -> None:
        how = {"metadata": output["metadata"], "transient": {"display_id": display_id}, "update": update}
        # which publisher that is, the route says
        self._route.run(lambda: self._shell.display_pub.publish(data=output["data"], **how))

    def refresh(self) -> bool:
        """Show what could not be shown so far, or was cleared; whether that is all."""
        if self._cleared:
            self._cleared = False
            for display_id, output in self._shown.items():
                self._publish(output, display_id, update=False)
        return True


class OutputArea:
    """The outputs of one prompt inside an ipywidgets Output."""

    def __init__(self, cell: CellArea, widget: Any) -> None:
        self._cell = cell  # shows what comes inside the block: the widget takes it in
        self._widget = widget
        self._message = widget.msg_id
        self._wanted: dict[str, dict[str, Any]] = {}
        self.taken_in: list[str] = []  # the keys of what the widget took in, and
        self.written: list[str] = []  # those of what was last written in its place
        self._contents = vars(widget).get(_CONTENTS) or OutputContents(widget)
        self._contents.areas.append(self)

    @property
    def wanted(self) -> list[dict[str, Any]]:
        """What should stand there."""
        return [*self._wanted.values()]

    def show(self, output: dict[str, Any], display_id: str, *, update: bool) -> None:
        """Show an output, or show it in the place of what has this id."""
        if not update and self._widget.msg_id == self._message:
            self.taken_in.append(_key(output))
            self._cell.show(output, display_id, update=False)
        self._wanted[display_id] = output

    def refresh(self) -> bool:
        """Show what could not be shown so far; whether that is all."""
        self._contents.refresh()
        return (self.written or self.taken_in) == [_key(output) for output in self.wanted]


class OutputContents:
    """What all prompts show inside one Output, one after another.

    The page may tell what the widget held before our last word reached it; then that word is said again.
    """

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self.areas: list[OutputArea] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        setattr(widget, _CONTENTS, self)
        widget.observe(self._hear, "outputs")

    def _hear(self, _: Any) -> None:
        """Look at what the page told, which may be heard in any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.refresh)

    def refresh(self) -> None:
        """Write what the prompts want in the place of what they have there; what was cleared stays away."""
        self._loop = asyncio.get_running_loop()
        held = [(_key(output), output) for output in self._widget.outputs]
        left, ours = Counter(key for key, _ in held), Counter[str]()
        there: list[OutputArea] = []
        for area in [*self.areas]:
            present = (Counter(area.written) & left) or (Counter(area.taken_in) & left)
            if present:
                there.append(area)
                left -= present
                ours += present
            elif area.written:
                self.areas.remove(area)
        wanted = [(_key(output), output) for area in there for output in area.wanted]
        others: list[tuple[str, dict[str, Any]]] = []
        behind = 0  # how many of the others stand behind the first of ours
        for key, output in reversed(held):  # an earlier one that looks the same may be another's
            if ours[key]:
                ours[key] -= 1
                behind = len(others)
            else:
                others.append((key, output))
        others.reverse()
        first = len(others) - behind
        shown = [*others[:first], *wanted, *others[first:]]
        for area in there:
            area.written = [_key(output) for output in area.wanted]
        if [key for key, _ in shown] != [key for key, _ in held]:
            self._widget.outputs = tuple(output for _, output in shown)


class Display:
    """One output, shown in the place of what it showed before.

    Invariant: its metadata is the same in every message. VS Code replaces all outputs of a cell when an update brings others.
    """

    for_good = False

    def __init__(self, area: CellArea | OutputArea, metadata: dict[str, Any]) -> None:
        self._area = area
        self._metadata = metadata
        self._id = uuid4().hex
        self.output: dict[str, Any] | None = None  # what a document holds of it, once it is shown

    def show(self, data: dict[str, Any], state: Literal["live", "final"], widget: Any = None) -> None:
        """Show this bundle; live, a widget comes first."""
        if state == "live":
            data = {**({} if widget is None else view_of(widget)), **as_live(data)}
        output = {"output_type": "display_data", "data": data, "metadata": self._metadata}
        self._area.show(output, self._id, update=self.output is not None)
        self.output = output


def view_of(widget: Any) -> dict[str, Any]:
    """Return the part of a bundle that shows a widget."""
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def area_of(shell: Any, route: Route) -> CellArea | OutputArea:
    """Return where the cell that runs now displays."""
    cell, widget = CellArea(shell, route), output_around(shell)
    if widget is not None:
        return OutputArea(cell, widget)
    cell.watch()
    return cell


async def settled(area: CellArea | OutputArea) -> None:
    """Return once all is shown; where a page does not tell what its Output holds, it keeps showing the widgets."""
    for _ in range(_PATIENCE):
        if area.refresh():
            break
        await asyncio.sleep(0.1)
    if isinstance(area, CellArea):
        area.close()


def output_around(shell: Any) -> Any | None:
    """Return the Output that takes in what is displayed now, if there is one."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    if module is None:
        return None
    known = getattr(module, "_instances", None)  # of ipywidgets 8; in 7 the class has them, once it has been imported whole
    known = getattr(getattr(module, "Widget", None), "widgets", {}) if known is None else known
    message = current_request(shell)[1].get("header", {}).get("msg_id", "")
    around = [widget for widget in list(known.values()) if getattr(widget, "msg_id", "") == message != ""]
    return around[-1] if around else None


def _key(output: dict[str, Any]) -> str:
    """Return what an output is known by when a page tells of it: its widget, or else its HTML."""
    data = output.get("data", {})
    return data.get(VIEW, {}).get("model_id") or "".join(data.get("text/html", ""))
