"""A display, and where it goes: below a cell, or into the ipywidgets Output that takes in what the cell displays.

An Output (`with out:`, `@out.capture()`) appends what is displayed inside it, knows no updates, and hears nothing any more
once the block is left. So its list of outputs is rewritten from here: the page tells the kernel of it, and takes the new one.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Literal
from uuid import uuid4

from nbgemini.notebook.kernel.environment import current_request, execution_id
from nbgemini.notebook.kernel.output_routing import Route
from nbgemini.render.mimebundle import as_live

VIEW = "application/vnd.jupyter.widget-view+json"
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
    """The outputs inside an ipywidgets Output."""

    def __init__(self, cell: CellArea, widget: Any) -> None:
        self._cell = cell  # shows what comes inside the block: the widget takes it in
        self._widget = widget
        self._message = widget.msg_id
        self._shown: list[dict[str, Any]] = []
        self._wanted: dict[str, dict[str, Any]] = {}

    def show(self, output: dict[str, Any], display_id: str, *, update: bool) -> None:
        """Show an output, or show it in the place of what has this id."""
        if not update and self._widget.msg_id == self._message:
            self._shown.append(output)
            self._cell.show(output, display_id, update=False)
        self._wanted[display_id] = output

    def refresh(self) -> bool:
        """Show what could not be shown so far; whether that is all."""
        held, wanted = list(self._widget.outputs), list(self._wanted.values())
        if self._shown == wanted:
            return True
        ours, missing = [], list(self._shown)
        for index, output in enumerate(held):
            found = next((one for one in missing if _same(output, one)), None)
            if found is not None:  # but once: another prompt's may look the same
                missing.remove(found)
                ours.append(index)
        if not ours:
            return False  # the page has not told yet what the widget holds
        others = [output for index, output in enumerate(held) if index not in ours]
        self._widget.outputs = (*others[: ours[0]], *wanted, *others[ours[0] :])
        self._shown = wanted
        return True


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


def _same(held: dict[str, Any], output: dict[str, Any]) -> bool:
    """Whether what a page tells of an output is this one of ours."""
    one, other = held.get("data", {}), output["data"]
    views = (one.get(VIEW, {}).get("model_id"), other.get(VIEW, {}).get("model_id"))
    html, other_html = ("".join(data.get("text/html", "")) for data in (one, other))
    return views[0] == views[1] if any(views) else html == other_html
