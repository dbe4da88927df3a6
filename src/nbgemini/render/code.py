"""Code as HTML, coloured by class names.

A lexer is a program of regular expressions, and many can be made to run for minutes. So only lexers of languages that models
write are used, which no text of bounded lines was found to hold up; and what they take is measured: the rest of a code that
takes too long is not coloured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from html import escape
from time import thread_time
from typing import Any

_SECONDS = 0.3  # of the thread's own time, for one block
_LONGEST = 20_000  # characters that are coloured; lexers are quadratic in long lines and in long runs of words
_LONGEST_LINE = 500
_LONGEST_RUN = 1_000
_MOST_OPEN_COMMENTS = 100
_RUN = re.compile(r"(?:[^\s(){};,=]*+\s++)++")
_ALIASES = """
aconf ada ada2005 ada95 apache apacheconf asm awk bash bat batch bazel bsdmake c c# c++ cfg cl clj clojure cmake coffee
coffee-script coffeescript common-lisp console cpp cr crystal cs csharp css cu cucumber cuda cython dart diff do docker
dockerfile dosini duby elisp elixir elm emacs emacs-lisp erlang ex exs f# f90 fish fishshell fortran fsharp gas gawk gd
gdscript gherkin glsl go golang graphql groovy handlebars haskell hcl hlsl hs html ini ipython ipython3 java javascript jl
jproperties js json json-object json5 jsx julia kotlin ksh latex less lisp lobas lua make makefile markdown matlab mawk md
mf mysql nasm nawk nginx nim nimrod obj-c objc objective-c objectivec ocaml octave oobas openrc perl php php3 php4 php5 pl
plpgsql posh postgres postgresql powershell prolog properties proto protobuf ps1 psm1 pwsh py py3 pycon pyi pyrex python
python-console python3 pyx r racket rb react rkt rs ruby rust s sage sas sass scala scheme scm scss sh shell shell-session
sobas solidity splus sql sqlite3 starlark stata sv swift systemverilog tcl terraform tex tf toml ts tsx typescript v vb.net
vbnet verilog vhdl vim visual-basic visualbasic vue xml yaml yml zig zsh
"""
_LANGUAGES = frozenset(_ALIASES.split())


def code_html(source: str, language: str, *, coloured: bool = True) -> str:
    """Return code as HTML, coloured by class names if the language is known; still to be sanitised."""
    language = "".join(char for char in language if (char.isascii() and char.isalnum()) or char in "+#.-_")[:40]
    named = f' class="language-{language}"' if language else ""
    shown = escape(source, quote=False)
    if coloured and is_colourable(source, language):
        from pygments import format as formatted  # noqa: PLC0415 - at first use

        shown = str(formatted(_within_time(_lexer(language.lower()), source), _formatter()))
    return f'<div class="highlight"><pre><code{named}>{shown}</code></pre></div>\n'


def is_colourable(source: str, language: str) -> bool:
    """Say whether a lexer knows the language and takes no long time for this code."""
    return (
        language.lower() in _LANGUAGES
        and len(source) <= _LONGEST
        and max(map(len, source.split("\n"))) <= _LONGEST_LINE
        and source.count("/*") - source.count("*/") <= _MOST_OPEN_COMMENTS
        and all(len(run.group()) <= _LONGEST_RUN for run in _RUN.finditer(source))
    )


def _within_time(lexer: Any, source: str) -> Iterator[tuple[Any, str]]:
    from pygments.token import Text  # noqa: PLC0415 - at first use

    until, length = thread_time() + _SECONDS, 0
    for kind, value in lexer.get_tokens(source):
        yield kind, value
        length += len(value)
        if thread_time() > until:
            yield Text, source[length:]
            return


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415 - at first use

    how = {"handlecodeblocks": False} if language in ("markdown", "md") else {}  # it would take any lexer for them
    return get_lexer_by_name(language, stripnl=False, filters=[_quiet()], **how)


@cache
def _quiet() -> Any:
    """Return a filter that leaves names and punctuation uncoloured: no theme needs them, and they are half of all HTML."""
    from pygments.filter import simplefilter  # noqa: PLC0415 - at first use
    from pygments.token import Name, Punctuation, Text, Whitespace  # noqa: PLC0415

    def quiet(_self: Any, _lexer: Any, stream: Any, _options: Any) -> Any:
        plain = (Name, Punctuation, Whitespace)
        return ((Text if kind in plain else kind, value) for kind, value in stream)

    return simplefilter(quiet)()


@cache
def _formatter() -> Any:
    from pygments.formatters.html import HtmlFormatter  # noqa: PLC0415 - at first use

    return HtmlFormatter(nowrap=True)
