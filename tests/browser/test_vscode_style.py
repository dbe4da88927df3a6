"""The widgets on a page with VS Code's rules for outputs: no variables of JupyterLab, widgets on white, a light and a dark theme.

The rules are those of vscode-jupyter 2026.6 (`.cell-output-ipywidget-background`) and of VS Code's themes Dark and Light Modern.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import nbgemini.notebook
from nbgemini.messages.events import ToolCall, ToolRun
from nbgemini.render.mimebundle import as_live, map_bundle, progress_bundle, status_bundle, table_bundle
from nbgemini.render.tool_card import card_html

HERE = Path(nbgemini.notebook.__file__).parent / "display"
THEMES = {
    "dark": {
        "editor-foreground": "#cccccc",
        "editor-background": "#1f1f1f",
        "textCodeBlock-background": "#2b2b2b",
        "descriptionForeground": "#9d9d9d",
        "button-secondaryForeground": "#cccccc",
        "button-secondaryBackground": "#313131",
        "editorWarning-foreground": "#cca700",
        "widget-border": "#313131",
        "focusBorder": "#0078d4",
        "font-size": "13px",
    },
    "light": {
        "editor-foreground": "#3b3b3b",
        "editor-background": "#ffffff",
        "textCodeBlock-background": "#f8f8f8",
        "descriptionForeground": "#3b3b3b",
        "button-secondaryForeground": "#3b3b3b",
        "button-secondaryBackground": "#e5e5e5",
        "editorWarning-foreground": "#8a6a00",
        "widget-border": "#e5e5e5",
        "focusBorder": "#005fb8",
        "font-size": "13px",
    },
}
# what ipywidgets gives an accordion where no theme of JupyterLab is
PAGE = """<style>
body { margin: 12px; background: var(--vscode-editor-background); color: var(--vscode-editor-foreground); font: 13px sans-serif; }
.cell-output-ipywidget-background { background: white !important; margin: 6px 0; }
.jupyter-widgets { color: black; }
.jupyter-widget-Collapse-header, .jupyter-widget-Collapse-contents { color: black; background: white; border: 1px solid black; }
</style>"""
CALL = ToolCall("run_python", {"note": "the mean of two", "code": "def mean(a, b):\n    return (a + b) / 2  # of them\n"})
WIDGETS = [
    ("thought", {"html": "<p>A <em>thought</em> in <code>code</code></p>", "open": "<p>and more</p>"}),
    (
        "answer",
        {
            "html": "<p>An <strong>answer</strong></p><ul><li>an item</li></ul><pre><code>x = 1</code></pre>",
            "open": "<p>tail</p>",
        },
    ),
    (
        "status",
        {
            "status": {
                "badge": "offline service",
                "text": "gemini-flash-latest · 12 in",
                "busy": True,
                "since": 3,
                "doing": "",
                "part": 0.4,
            }
        },
    ),
    (
        "card",
        {
            "html": card_html(ToolRun(CALL, "asking", about="Run Python in a sandbox."), "defined in cell 2, line 1"),
            "status": {"ask": [["once", "Allow once", "It runs"], ["refuse", "Deny", "Not"]], "busy": False, "since": 0},
        },
    ),
]
AT_REST = [
    card_html(ToolRun(CALL, "done", {"output": "1.5"}, seconds=1.2, unasked=True, about="Run Python in a sandbox.")).replace(
        "<details class", "<details open class"
    ),
    table_bundle(("model", "tokens", "USD"), [("gemini-flash-latest", "1,048,576", "0.75"), ("a model", "65,536", "")])[
        "text/html"
    ],
    as_live(map_bundle(progress_bundle(0.4, "48 of 120 rows · 4 at once", "offline service")))["text/html"],
    status_bundle("gemini-flash-latest · 12 in / 56 out · 2.3 s", "offline service")["text/html"],
]
BUILD = """async ([code, css, widgets, atRest]) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const { default: make } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  for (const [role, snapshot] of widgets) {
    const around = document.createElement("div");
    around.className = "cell-output-ipywidget-background";
    const el = document.createElement("div");
    el.className = "jupyter-widgets";
    if (role === "thought") {
      around.innerHTML = '<div class="jupyter-widgets nbg-fold"><div class="jupyter-widget-Collapse">'
        + '<div class="jupyter-widget-Collapse-header">Thinking… 3 s</div><div class="jupyter-widget-Collapse-contents"></div></div></div>';
      around.querySelector(".jupyter-widget-Collapse-contents").append(el);
    } else around.append(el);
    document.body.append(around);
    const listeners = {};
    const model = {
      get: (name) => ({ role, key: role })[name],
      on: (name, call) => (listeners[name] = call),
      send() {},
    };
    const widget = make();
    widget.initialize({ model });
    widget.render({ model, el });
    listeners["msg:custom"]({ n: 1, snapshot });
  }
  for (const html of atRest) document.body.insertAdjacentHTML("beforeend", `<div>${html}</div>`);
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}"""
# WCAG 2: the ratio of relative luminances, of every text with what lies behind it
CONTRASTS = """() => {
  const channel = (value) => ((value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgba = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, a = 1] = rgba(getComputedStyle(at).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const seen = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = walker.nextNode()); ) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || node.tagName === "STYLE") continue;
    const [one, two] = [luminance(rgba(getComputedStyle(node).color)), luminance(behind(node))].sort((a, b) => b - a);
    seen.push([text.data.trim(), (one + 0.05) / (two + 0.05)]);
  }
  return seen;
}"""


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_can_be_read_in_vs_code(chromium, theme):
    page = chromium.new_page(viewport={"width": 700, "height": 1000})
    variables = ";".join(f"--vscode-{name}:{value}" for name, value in THEMES[theme].items())
    page.set_content(f"<!doctype html><html style='{variables}'><head>{PAGE}</head><body></body></html>")
    code, css = (HERE / "live.js").read_text(encoding="utf-8"), (HERE / "live.css").read_text(encoding="utf-8")
    page.evaluate(BUILD, [code, css, WIDGETS, AT_REST])
    folder = Path(os.environ.get("NBGEMINI_SCREENSHOTS", "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"vscode-{theme}.png"))
    contrasts = page.evaluate(CONTRASTS)
    page.close()
    assert len(contrasts) > 15, contrasts
    assert [(text, round(ratio, 1)) for text, ratio in contrasts if ratio < 4.5] == [], json.dumps(contrasts)
