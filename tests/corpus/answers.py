"""200 answers in the manner of models: whole pages of Markdown, put together from how models write each kind of passage."""

from __future__ import annotations

from itertools import count
from random import Random

_TOPICS = [
    "the tide tables",
    "a sorting routine",
    "the lease",
    "sourdough",
    "a heat pump",
    "the census",
    "le vélo",
    "die Miete",
]
_PASSAGES = {
    "opening": [
        "Sure — here is what matters about {topic}.",
        "Good question! **{topic}** comes down to three things:",
        "Short answer: *it depends*. The long one follows.",
        "Hier ist eine **„Übersicht“**en zum Thema {topic}.",
        "これは**「{topic}」**な点です。**注意：**次を読んでください。",
        "关于**{topic}**：请看**（重要）**的说明，**注意：**正文如下。",
        "**한국어(Korean)**은 {topic}에 대한 설명입니다.",
        "הנה **סיכום** על {topic}\u200f: ראו C++\u200e ו־Python.",
        "هذا **ملخص** عن {topic}\u200f (انظر أدناه).",
    ],
    "heading": ["## {n}. {topic}", "### Step {n}: *check* `it`", "{topic}\n---", "#### **Notes**\n"],
    "list": [
        "1. **First:** measure.\n   - twice\n   - then cut\n2. **Second:** write it down\n\n   with a paragraph.\n3. Done",
        "- [x] read {topic}\n- [ ] answer\n- [ ] sleep",
        "* **Pros**\n    * cheap\n    * quick\n* **Cons**\n    * none[^{n}]\n",
        "- item\n\n- loose item\n  continued here\n\n- last",
        "1) one\n2) two <br> and a line\n3) press <kbd>Ctrl</kbd>+<kbd>C</kbd>",
    ],
    "table": [
        "| Name | Sum | Side |\n|:-----|----:|:----:|\n| a | 1 | `x` |\n| b<br>c | $5 | [0, 1) |\n| **d** | H<sub>2</sub>O | |",
        "Interval | open?\n--- | ---\n[0, 1) | half\n(0, 1) | yes\n[[0], [1]] | *no*",
    ],
    "code": [
        "```python\ndef f(x):\n    return x ** 2  # {topic}\n```",
        "````markdown\n# Title\n```bash\nls -la $HOME\n```\n````",
        "```markdown\n# Readme\n\n```bash\nmake install\n```\n\nThen run it.\n```",
        "~~~\nplain *text* [a][b]\n~~~",
        "1. Run this:\n\n   ```bash\n   export PATH=$HOME/bin:$PATH\n   ```\n\n2. Look.",
        "Use `a ** b` or ``a ` b``.",
        "    indented = code\n",
    ],
    "formula": [
        "Euler says $e^{{i\\pi}} + 1 = 0$, the $n$th time.",
        "\\[\nE\n= mc^2\n\\]",
        "We get\n$$\nx = \\frac{{-b \\pm \\sqrt{{b^2 - 4ac}}}}{{2a}}\n\n- y\n$$\nas before.",
        "\\begin{{align}}\na &= b + c \\\\\n- d &= e\n\\end{{align}}",
        "- where \\( \\lambda \\) is large:\n  \\[\n  \\lambda\n  > 0\n  \\]\n- and \\(5\\) is not.",
        "It costs $5 to $10, or ($AAPL) vs ($TSLA), and $HOME/bin:$PATH.",
        "> $$\n> a + b\n> = c\n> $$",
    ],
    "links": [
        'See [the manual][m{n}] and [that page](https://docs.example/a_(b)).\n\n[m{n}]: https://manual.example/{n} "The manual"',
        "More at https://news.example/{n}/story. (Or https://b.example/?q=1&r=2)",
        "As shown[^{n}], it works [m{n}].\n\n[^{n}]: According to *somebody* and\n    a second line.",
        "![A chart](https://charts.example/{n}.png)\n\nWrite to <help@docs.example>.",
        "Sources: [1][s{n}], [2][s{n}].",
    ],
    "quote": ["> **Note:** {topic}\n> goes on\nlazily", "> > nested\n>\n> - list\n>   1. deep", "---"],
}
_ORDER = ("opening", "heading", "formula", "list", "code", "links", "table", "quote", "links", "formula", "list")


def _answer(number: int) -> str:
    random, numbers = Random(number), count(1)
    kinds = [kind for kind in _ORDER if kind == "opening" or random.random() < 0.6]
    passages = [random.choice(_PASSAGES[kind]).format(topic=random.choice(_TOPICS), n=next(numbers)) for kind in kinds]
    definition = f"\n\n[s{len(kinds)}]: https://sources.example/{number}" if random.random() < 0.5 else ""
    return random.choice(["\n\n", "\n\n", "\n\n\n"]).join(passages) + definition + random.choice(["", "\n"])


ANSWERS = [_answer(number) for number in range(200)]
