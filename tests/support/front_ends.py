"""How front ends turn kernel messages into the outputs of cells: small models, each written from rules that it names.

`play` gives a log of messages to all of them. What stays below a cell in the end has to be the same everywhere.
"""

from __future__ import annotations

from collections import Counter

from tests.support.outputs import VIEW, is_live

HTML, PLAIN = "text/html", "text/plain"
PLAYED = Counter()  # the kernels of this test run, and the logs and messages that all models were given


class FrontEnd:
    """What all have in common: outputs below the cell that a message belongs to, and displays that are found again by an id."""

    def __init__(self, requests):
        """`requests`: the cells that were run, and for each whether somebody sat there."""
        self.requests = requests
        self.cells = {cell: [] for cell in requests}
        self.displays = {}
        self.clearing = set()  # cells that the next output will clear

    def receive(self, message):
        cell, content = message["parent_header"].get("msg_id"), message["content"]
        if cell not in self.requests:
            return
        match message["msg_type"]:
            case "display_data" | "execute_result" | "error" | "stream":
                if cell in self.clearing:
                    self.clearing.remove(cell)
                    self.cells[cell].clear()
                self.append(cell, message["msg_type"], content)
            case "update_display_data":
                self.update(content["transient"]["display_id"], content)
            case "clear_output" if content["wait"]:
                self.clearing.add(cell)
            case "clear_output":
                self.cells[cell].clear()
            case "status" if content["execution_state"] == "idle":
                self.idle(cell)

    def append(self, cell, kind, content):
        output = {"output_type": kind, **content}
        self.cells[cell].append(output)
        display = content.get("transient", {}).get("display_id")
        if display:
            self.displays.setdefault(display, []).append((cell, output))

    def update(self, display, content):
        for _, output in self.displays.get(display, ()):
            output.update(data=content["data"], metadata=content["metadata"])

    def idle(self, cell):
        pass

    def shown(self, output):
        """The MIME type that a reader sees of an output."""
        return next((mime for mime in (VIEW, HTML, PLAIN) if mime in output["data"]), None)

    def rest(self, cell):
        """What a reader sees below a cell of what carries our metadata, and what the file holds of it."""
        ours = [output for output in self.cells[cell] if "nbgemini" in output.get("metadata", {})]
        return [(self.shown(output), output["data"].get(self.shown(output)), output["metadata"]) for output in ours]

    def runs(self, sits):
        """Whether this front end runs cells where somebody sits, or where nobody does."""
        return isinstance(sits, bool)


class JupyterLab(FrontEnd):
    """Outputs are appended; an update replaces data and metadata of all outputs with its id.

    Source: jupyterlab/packages/outputarea/src/widget.ts (`_onIOPub`).
    """


class VSCode(FrontEnd):
    """An update whose metadata differs from the output's replaces all outputs of the cell by the new one.

    Measured in VS Code 1.139 with its Jupyter extension 2026.6.1; with equal metadata only the items change
    (vscode-jupyter/src/kernels/execution/cellExecutionMessageHandler.ts, `handleUpdateDisplayDataMessage`). What comes after
    idle is shown through a temporary execution, and so not lost.
    """

    def update(self, display, content):
        for cell, output in self.displays.get(display, ())[-1:]:  # it knows the last output with an id
            if output["metadata"] != content["metadata"]:
                self.cells[cell][:] = [output]
            output.update(data=content["data"], metadata=content["metadata"])


class Positron(FrontEnd):
    """Any `application/*` type is shown before HTML, whether it can be shown or not.

    Source: positron/src/vs/workbench/contrib/positronNotebook (choice of the preferred output item), its issue 13996.
    """

    def shown(self, output):
        own = [mime for mime in output["data"] if mime.startswith("application/")]
        return own[0] if own else super().shown(output)


class NbClient(FrontEnd):
    """Whatever comes after a cell's idle is dropped, except updates of earlier displays that come while another cell runs.

    Source: nbclient/client.py (`async_execute_cell` polls until idle; `process_message` updates displays of all cells).
    """

    def __init__(self, requests):
        super().__init__(requests)
        self.over = set()

    def receive(self, message):
        if message["parent_header"].get("msg_id") not in self.over:
            super().receive(message)

    def idle(self, cell):
        self.over.add(cell)

    def runs(self, sits):
        return not sits


class SavedFile(JupyterLab):
    """The file that JupyterLab saves, opened where no kernel is: nothing but HTML and text can be shown."""

    def shown(self, output):
        return next((mime for mime in (HTML, PLAIN) if mime in output["data"]), None)


class Collaborators(JupyterLab):
    """The document that two users share: the page that ran a cell writes its outputs, the other trusts none of them.

    An output goes to the shared document where it stands, and an update to the place that the writing page remembers for a
    display: indexes, which a cleared cell forgets. What is not trusted is shown as HTML.
    Source: jupyterlab/packages/cells/src/model.ts (`onOutputsChange`), packages/outputarea/src/widget.ts (`_displayIdMap`);
    the pages themselves are tried in `tests/browser/test_collaboration.py`.
    """

    def append(self, cell, kind, content):
        super().append(cell, kind, content)
        display = content.get("transient", {}).get("display_id")
        if display:
            self.displays[display][-1] = (cell, len(self.cells[cell]) - 1)

    def update(self, display, content):
        for cell, index in self.displays.get(display, ()):
            if index < len(self.cells[cell]):
                before = self.cells[cell][index]
                self.cells[cell][index] = {**before, "data": content["data"], "metadata": content["metadata"]}

    def shown(self, output):
        return next((mime for mime in (HTML, PLAIN) if mime in output["data"]), None)


FRONT_ENDS = (JupyterLab, VSCode, Positron, NbClient, SavedFile, Collaborators)


def changed_metadata(log):
    """The displays of a log whose metadata did not stay what it was."""
    carried, changed = {}, []
    for message in log:
        display = message["content"].get("transient", {}).get("display_id")
        if message["msg_type"] not in ("display_data", "update_display_data") or display is None:
            continue
        metadata = message["content"]["metadata"]
        if carried.setdefault(display, metadata) != metadata:
            changed.append((carried[display], metadata))
    return changed


def at_rest(requests, log):
    """The cells of a log of which all that carries our metadata is at rest, in JupyterLab."""
    page = JupyterLab(requests)
    for message in log:
        page.receive(message)
    return [cell for cell, outputs in page.cells.items() if not any(is_live(output.get("data", {})) for output in outputs)]


def differences(requests, log):
    """Where front ends differ in what stays below the cells of a log: (front end, cell, its outputs, JupyterLab's)."""
    pages = [front_end(requests) for front_end in FRONT_ENDS]
    for message in log:
        for page in pages:
            page.receive(message)
    lab = pages[0]
    return [
        (type(page).__name__, cell, page.rest(cell), lab.rest(cell))
        for cell in at_rest(requests, log)
        for page in pages
        if page.runs(requests[cell]) and page.rest(cell) != lab.rest(cell)
    ]
