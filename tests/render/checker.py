"""An allow-list checker of its own, on another parser than the sanitiser's: what a page may receive, and nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from unicodedata import bidirectional

from pygments.token import STANDARD_TYPES

from nbgemini.render.mimebundle import ERROR_STYLE

VOID = {"br", "hr", "img"}
OWN = {"details", "summary", "audio", "small"}
TAGS = OWN | {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"),
    *("em", "strong", "b", "i", "s", "del", "sub", "sup", "kbd"),
    *("table", "thead", "tbody", "tr", "th", "td", "a", "span", "div", "img"),
}
OWN_CLASSES = "answer|audio|badge|citations|code|code-result|error|host|image|live|map|prompt|status|table|thought|tool"
COLOURS = "|".join(sorted(filter(None, STANDARD_TYPES.values())))
CLASS = re.compile(rf"highlight|language-[A-Za-z0-9_+#.-]{{1,40}}|nbgemini-(?:{OWN_CLASSES})|{COLOURS}")
LINK = re.compile(r"(?s:(?:https?://|mailto:)\S.*)", re.IGNORECASE)  # once decoded: quotes in it are harmless
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*")
SOUND = re.compile(r"data:audio/(?:mpeg|ogg|flac|wav);base64,[A-Za-z0-9+/=]*")
ANYTHING = re.compile(r"(?s).*")
CLASSES = re.compile(rf"(?:(?:{CLASS.pattern})(?:\s+|\Z))*")

DIRECTED = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "table", "div", "pre", "code")

VALUES = {
    ("a", "href"): LINK,
    ("a", "title"): ANYTHING,
    ("a", "target"): re.compile("_blank"),
    ("a", "rel"): re.compile("noopener noreferrer nofollow"),
    ("code", "class"): CLASSES,
    ("div", "class"): CLASSES,
    ("table", "cellpadding"): re.compile("6"),
    ("table", "rules"): re.compile("none"),
    ("thead", "style"): re.compile("border-bottom:1px solid #8888"),
    ("tbody", "valign"): re.compile("top"),
    ("div", "align"): re.compile("left|right|center"),
    ("div", "style"): re.compile(rf"overflow-x:auto;overflow-y:hidden|{re.escape(ERROR_STYLE)}"),
    ("span", "style"): re.compile(r"display:inline-block;width:max-content;overflow:clip"),
    **dict.fromkeys([(tag, "dir") for tag in DIRECTED], re.compile("auto|ltr")),
    ("span", "class"): CLASSES,
    ("details", "class"): CLASSES,
    ("details", "open"): ANYTHING,
    ("ol", "start"): re.compile(r"\d+"),
    ("img", "src"): IMAGE,
    ("img", "alt"): ANYTHING,
    ("img", "title"): ANYTHING,
    ("audio", "controls"): ANYTHING,
    ("audio", "src"): SOUND,
}


class Checker(HTMLParser):
    """Collects what is wrong with a piece of HTML, and its text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.faults = []
        self.text = []
        self._open = []

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS:
            self.faults.append(f"tag {tag}")
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"an attribute twice in {tag}")
        for name, value in attrs:
            rule = VALUES.get((tag, name))
            if rule is None:
                self.faults.append(f"attribute {tag} {name}")
            elif not rule.fullmatch(value or ""):
                self.faults.append(f"value {tag} {name}={value!r}")
        if tag == "a" and "href" in names and "rel" not in names:
            self.faults.append("a link that tells where it comes from")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"unbalanced </{tag}>")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        self.faults.append(f"comment {data!r}")

    def handle_decl(self, decl):
        self.faults.append(f"declaration {decl!r}")

    def handle_pi(self, data):
        self.faults.append(f"instruction {data!r}")

    def unknown_decl(self, data):
        self.faults.append(f"declaration {data!r}")

    def close(self):
        super().close()
        if self._open:
            self.faults.append(f"left open {self._open}")


def faults(html):
    """What a page must not receive in `html`; empty if all is well."""
    checker = Checker()
    checker.feed(html)
    checker.close()
    return checker.faults


def text_of(html):
    """What a reader sees of `html`."""
    checker = Checker()
    checker.feed(html)
    checker.close()
    return "".join(checker.text)


def controls(text):
    """The characters of `text` that a terminal might obey or a reader cannot see."""
    hidden = HIDDEN if any(bidirectional(char) in ("R", "AL") for char in text if char not in MARKS) else HIDDEN | set(MARKS)
    return [char for char in text if char not in "\n\t" and (ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char in hidden)]


MARKS = "\u061c\u200e\u200f"  # of direction, in writing that has one
HIDDEN = {  # Unicode's Default_Ignorable_Code_Point but joiners, emoji and Mongolian selectors; line ends; surrogates
    *"\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u3164\ufeff\uffa0",
    *map(chr, range(0x2028, 0x202F)),
    *map(chr, range(0x2060, 0x2070)),
    *map(chr, range(0xD800, 0xE000)),
    *map(chr, range(0xFE00, 0xFE0E)),
    *map(chr, range(0xFFF0, 0xFFFC)),
    *map(chr, range(0x1BCA0, 0x1BCA4)),
    *map(chr, range(0x1D173, 0x1D17B)),
    *map(chr, range(0xE0000, 0xE1000)),
}
