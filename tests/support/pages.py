"""A page that takes part: it starts widgets, says so, asks for what it has missed, as `notebook/live.js` does.

`reload` forgets what a page forgets that is loaded again, and `move` what it forgets of a cell that was moved or cut and put
back: JupyterLab finds outputs by their display ids only in the page, and below the cell, that saw them appear.
"""

from __future__ import annotations

from tests.support.front_ends import JupyterLab
from tests.support.outputs import VIEW, ops_in

HTML = "text/html"


def view_in(output):
    return output.get("data", {}).get(VIEW, {}).get("model_id")


class Page(JupyterLab):
    """One page on a kernel."""

    def __init__(self, kernel):
        super().__init__(kernel.requests)
        self._kernel = kernel
        self.widgets, self.asking = {}, set()
        self.new_outputs = True  # whether it shows outputs that are new since it was loaded

    def receive(self, message):
        kind, content = message["msg_type"], message["content"]
        for cell in self.requests:
            self.cells.setdefault(cell, [])
        if kind == "comm_open" and "role" in content["data"].get("state", {}):
            self.widgets[content["comm_id"]] = content["data"]["state"]["role"]
            self.say(content["comm_id"], "hello")
        elif kind == "comm_close":
            self.widgets.pop(content["comm_id"], None)
        elif kind == "comm_msg" and content["comm_id"] in self.widgets and content["data"].get("method") == "custom":
            self.hear(content["comm_id"], {**content["data"]["content"], "ops": ops_in(message)})
        elif kind != "display_data" or self.new_outputs:
            super().receive(message)

    def hear(self, widget, said):
        if "document" in said and widget in self.asking:
            self.mend(**said["document"])
        if "snapshot" in said or "document" in said:
            self.asking.discard(widget)
        over = [op[1] for op in said["ops"] if op[0] == "o"]
        if over and any(view_in(output) in over[0] for outputs in self.cells.values() for output in outputs):
            self.say(widget, "outputs")

    def say(self, widget, word):
        self.asking.add(widget)
        session, content = self._kernel.client.session, {"type": word}
        data = {"comm_id": widget, "data": {"method": "custom", "content": content}}
        self._kernel.client.shell_channel.send(session.msg("comm_msg", data))

    def mend(self, ids, outputs, **_):
        for shown in self.cells.values():
            if any(view_in(output) in ids for output in shown):
                texts = [output["data"][HTML] for output in outputs]
                ours = [n for n, one in enumerate(shown) if view_in(one) in ids or one.get("data", {}).get(HTML) in texts]
                others = [output for n, output in enumerate(shown) if n not in ours]
                shown[:] = [*others[: ours[0]], *outputs, *others[ours[0] :]]

    def reload(self):
        """Come back with the file that was saved at this moment: widgets start again from the kernel."""
        self.displays.clear()
        self.new_outputs = False
        for widget in list(self.widgets):
            self.say(widget, "hello")

    def move(self):
        """Make all outputs anew."""
        self.displays.clear()
        self.new_outputs = False
        for widget, role in self.widgets.items():
            if role != "status":
                self.say(widget, "moved")
                self.asking.discard(widget)
