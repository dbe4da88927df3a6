"""One answer that holds every kind of thing that a model may send, as a prompt for the offline service."""

from __future__ import annotations

import json

TEXT = "Zürich lies on a lake, the **Zürichsee**. It has about 430 000 people.\n\n- One café more 🙂.\n"
SUPPORTS = [
    ["It has about 430 000 people.", "https://stats.example/zh?a=1&b=2", "Statistics <i>"],
    ["One café more 🙂.", "https://guide.example/cafe", ""],
]
PAGES = {
    "urlMetadata": [
        {"retrievedUrl": "https://lake.example/", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
        {"retrievedUrl": "https://gone.example/", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_PAYWALL"},
    ]
}
KINDS = ["thought", "image", "code", "code_result", "code_result", "image", "audio", "answer", "citations"]
PARTS = [
    ["thought", "**Plan**\n\nDraw first, then speak."],
    ["draft", "a lake"],
    ["code", "for n in range(3):\n    print(n)\n"],
    ["code_result", "0\n1\n2\n"],
    ["code_result", "NameError: n", "FAILED"],
    ["image", "a lake at noon", 240],
    ["audio", 1.2],
    ["beside", {"urlContextMetadata": PAGES}],
    ["grounded", TEXT, SUPPORTS, ["zürich people", "zürich cafés"]],
]


def prompt(parts=PARTS, **how):
    """The prompt that makes the offline service say this."""
    return f"offline: {json.dumps({'parts': parts, 'gap': 0, **how})}"
