"""What the module in the page does with operations on a text, in Python, with a parser of its own."""

from __future__ import annotations

from html.parser import HTMLParser

from nbgemini.render.html_tree import Element, amend, parse_html
from nbgemini.render.streaming_markdown import Blocks


class Page:
    """The nodes of a page, and how it got them."""

    def __init__(self):
        self.root = Element("", "div", [])
        self.removed = []  # what was shown and vanished

    def apply(self, operations):
        for kind, path, count, added in operations:
            node = self.root
            for from_end in path:
                node = node.children[len(node.children) - from_end]
            if kind == "t":
                units = node.children[-1].encode("utf-16-le")
                assert 2 * count <= len(units)
                node.children[-1] = units[: len(units) - 2 * count].decode("utf-16-le") + added
                self.removed += [units[len(units) - 2 * count :].decode("utf-16-le")] if count else []
            else:
                assert kind == "h"
                assert count <= len(node.children)
                self.removed += node.children[len(node.children) - count :]
                node.children[len(node.children) - count :] = nodes_of(added)


class _Nodes(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("", "div", [])
        self.open = [self.root]

    def handle_starttag(self, tag, _):
        element = Element(self.get_starttag_text(), tag, [])
        self.open[-1].children.append(element)
        if tag not in ("br", "hr", "img"):
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().name == tag

    def handle_data(self, data):
        children = self.open[-1].children
        if children and isinstance(children[-1], str):
            children[-1] += data
        else:
            children.append(data)


def nodes_of(html):
    parser = _Nodes()
    parser.feed(html)
    parser.close()
    return parser.root.children


class Stream:
    """A Markdown text on its way to a page."""

    def __init__(self):
        self.blocks = Blocks()
        self.page = Page()
        self.operations = []
        self.told = []  # HTML of finished blocks
        self._finished, self._open = [], []

    def feed(self, text, *, eager=True):
        """Let text come; return the operations."""
        self.blocks.append(text)
        if eager:
            self.blocks._parse_at = 1.0
        return self._show(self.blocks.advance(), self.blocks.patch())

    def close(self):
        """Let the text end."""
        return self._show(self.blocks.close(), self.blocks.patch())

    def _show(self, found, patch):
        nodes = [node for block in found for node in parse_html(block.html)]
        self.told += [block.html for block in found]
        if nodes:
            operations = amend(self._open, [*nodes, *patch.nodes])
            self._finished += nodes
            del self._open[: len(nodes)]
        else:
            operations = amend(self._open, patch.nodes, patch.levels) if patch else []
        self.page.apply(operations)
        assert self.page.root.children == self._finished + self._open
        self.operations += operations
        return operations


def text_of(nodes):
    """What a reader sees, a line each block."""
    return "".join(node if isinstance(node, str) else f"{_BREAK.get(node.name, '')}{text_of(node.children)}" for node in nodes)


_BREAK = dict.fromkeys(["p", "li", "tr", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "br"], "\n") | {
    "td": "\t",
    "th": "\t",
}


def press(book, cell, name, key="Enter"):
    """Press a button by keyboard, once it would count: buttons that have just appeared don't."""
    button = book.cell(cell).get_by_role("button", name=name, exact=True)
    button.wait_for()
    book.execute("import asyncio; await asyncio.sleep(0.6)")
    assert not button.evaluate("button => button === document.activeElement")
    button.focus()
    book.page.keyboard.press(key)
