r"""A formula as LaTeX that compiles: read by a grammar of known commands and written anew.

A typesetter in a page skips what it does not know; TeX ends the whole document there, and some of its commands read files or
run programs. So a formula is written out only if every piece of it is known, has its arguments and stands where it may.
Invariants: what is returned uses no command that is not named here, closes all that it opens, and cannot fail in a document
with amsmath and amssymb.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import ClassVar
from unicodedata import category, decomposition

_LONGEST = 1_000  # characters: TeX ends when a line of a formula is six metres long
_DEEPEST = 40  # groups in each other
_MOST_CELLS = 10  # of a row of a matrix: TeX knows no wider ones
_SIGN = re.compile(r"(\\(?:[A-Za-z]+\*?|.)|.)(\s*)", re.DOTALL)
_SIZE = re.compile(r"\[-?[\d.]+(?:pt|em|ex|mm|cm|in|mu)\]")  # behind the end of a row


def _commands(names: str) -> frozenset[str]:
    return frozenset(f"\\{name}" for name in names.split())


_SYMBOLS = _commands(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega varepsilon vartheta varpi varrho varsigma varphi Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi "
    "Omega pm mp times div cdot ast star circ bullet oplus ominus otimes oslash odot dagger ddagger cap cup uplus "
    "sqcap sqcup vee wedge setminus wr amalg land lor lnot neg le leq ge geq ne neq ll gg sim simeq approx cong "
    "equiv propto prec succ preceq succeq subset supset subseteq supseteq subsetneq supsetneq sqsubseteq sqsupseteq "
    "in notin ni mid nmid parallel nparallel perp vdash dashv models asymp doteq lesssim gtrsim leqslant geqslant "
    "triangleq approxeq to gets leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow mapsto "
    "longmapsto longrightarrow longleftarrow longleftrightarrow Longrightarrow Longleftarrow Longleftrightarrow iff "
    "implies impliedby uparrow downarrow updownarrow Uparrow Downarrow hookrightarrow hookleftarrow rightharpoonup "
    "rightharpoondown leftharpoonup rightleftharpoons nearrow searrow swarrow nwarrow rightsquigarrow "
    "upharpoonright infty partial nabla forall exists nexists emptyset varnothing ell hbar imath jmath Re Im wp "
    "aleph angle measuredangle triangle square blacksquare Box Diamond clubsuit diamondsuit heartsuit spadesuit "
    "prime therefore because complement top bot flat natural sharp surd checkmark ldots cdots vdots ddots dots "
    "dotsc dotsb dotsm dotsi colon lvert rvert lVert rVert langle rangle lfloor rfloor lceil rceil lbrace rbrace "
    "vert Vert backslash sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth exp log ln lg det dim ker "
    "hom arg deg gcd Pr quad qquad displaystyle textstyle scriptstyle scriptscriptstyle bmod enspace thinspace"
) | {r"\,", r"\;", r"\:", r"\!", r"\%", r"\#", r"\&", r"\_", r"\$", r"\{", r"\}", r"\|", r"\>"}
_WITH_LIMITS = _commands(
    "sum prod coprod int iint iiint oint bigcup bigcap bigoplus bigotimes bigodot bigvee bigwedge bigsqcup biguplus "
    "lim limsup liminf max min sup inf"
)
_NEGATED = frozenset("=<>") | _commands(
    "in ni equiv sim simeq approx cong subset supset subseteq supseteq le leq ge geq mid parallel prec succ exists"
)
_OTHERWISE = {r"\ ": "~", r"\lt": "<", r"\gt": ">"}  # a blank that no stripping takes away, and what only pages know
_COUNTS = dict.fromkeys(
    _commands(
        "mathbb mathcal mathfrak mathscr mathbf mathrm mathit mathsf mathtt boldsymbol bm hat widehat tilde widetilde "
        "bar overline underline vec dot ddot dddot acute grave breve check mathring overbrace underbrace overrightarrow "
        "overleftarrow phantom hphantom vphantom boxed pmod mathop mathrel mathbin mathord mathopen mathclose mathpunct "
        "mathinner"
    ),
    1,
) | dict.fromkeys(_commands("frac dfrac tfrac cfrac binom dbinom tbinom overset underset stackrel"), 2)
_STRETCHED = (r"\xrightarrow", r"\xleftarrow", r"\sqrt")  # with an argument in brackets before the other
_WORDS = _commands("text textrm textbf textit textsf texttt mbox hbox textnormal")
_DELIMITERS = frozenset("()[]|./<>") | {
    *(r"\{", r"\}", r"\|", r"\lbrace", r"\rbrace", r"\langle", r"\rangle", r"\lvert", r"\rvert", r"\lVert", r"\rVert"),
    *(r"\lfloor", r"\rfloor", r"\lceil", r"\rceil", r"\vert", r"\Vert", r"\backslash", r"\uparrow", r"\downarrow"),
}
_BIG = _commands("big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm Biggm")
_ROWS = {  # how an environment is called inside a formula, and how many cells its rows may have
    **dict.fromkeys(("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix"), ("", _MOST_CELLS)),
    **dict.fromkeys(("cases", "dcases"), ("cases", 2)),
    **dict.fromkeys(("aligned", "align", "align*", "split", "eqnarray", "eqnarray*", "alignat", "alignat*"), ("aligned", 20)),
    **dict.fromkeys(("gathered", "gather", "gather*", "multline", "multline*", "equation", "equation*"), ("gathered", 1)),
    "array": ("", _MOST_CELLS),
}
_PRIMES = str.maketrans({"\u2032": "'", "\u2033": "''", "\u2034": "'''"})
_COLUMNS = re.compile(r"[lcr|\s]{1,40}\Z")
_IN_WORDS = {
    "\\": r"\textbackslash{}",
    **{sign: rf"\{sign}" for sign in "{}$&#_%"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "`": r"\textasciigrave{}",
    "\n": " ",
}


_RUN = 100  # characters, after which a word that is no word may be broken
_LONG_RUN = re.compile(r"\S{500}")  # TeX ends when one is longer than it can measure
_LIGATURE = re.compile(r"([-',<>])(?=\1)")  # two of them in a row would become another sign


def _is_mathematical(sign: str) -> bool:
    """Whether a formula may hold this sign itself: an operator or a Greek letter, but no raised or lowered one."""
    return (category(sign) == "Sm" and not decomposition(sign)) or "\u0391" <= sign <= "\u03c9"


class UnfitError(Exception):
    """A formula that may not stand in a document."""


def rewrite_formula(latex: str) -> str:
    """Return a formula, without its delimiters, as LaTeX that compiles.

    Raises:
        UnfitError: something in it is not known, or not where it may be.
    """
    _require(len(latex) <= _LONGEST)
    return _Formula(latex.translate(_PRIMES).strip()).whole()


def escape_latex(text: str) -> str:
    """Return text of one line as LaTeX: every sign that means something to TeX is written so that it means itself."""
    runs = (text,) if _LONG_RUN.search(text) is None else (text[at : at + _RUN] for at in range(0, len(text), _RUN))
    escaped = r"\hspace{0pt}".join("".join(_IN_WORDS.get(char, char) for char in run) for run in runs)
    return _LIGATURE.sub(r"\1{}", escaped)


def _require(fits: bool) -> None:
    if not fits:
        raise UnfitError


class _Signs:
    """The signs of a formula, each with the blanks behind it, and how far they are read."""

    def __init__(self, latex: str) -> None:
        self._signs: list[tuple[str, str]] = _SIGN.findall(latex)
        self._at = 0

    def _peek(self) -> str:
        return self._signs[self._at][0] if self._at < len(self._signs) else ""

    def _next(self) -> str:
        _require(self._at < len(self._signs))
        self._at += 1
        return self._signs[self._at - 1][0]

    def _expect(self, sign: str) -> None:
        _require(self._next() == sign)

    def _next_of(self, known: Collection[str]) -> str:
        _require((sign := self._next()) in known)
        return sign

    def _raw(self) -> str:
        """Return the text of a group without any in it."""
        self._expect("{")
        begin = self._at
        while self._next() not in ("}", "{", "$"):
            pass
        _require(self._signs[self._at - 1][0] == "}")
        return "".join(f"{sign}{blank}" for sign, blank in self._signs[begin : self._at - 1]).strip()


class _Formula(_Signs):
    """A formula that is read sign by sign and written on the way."""

    _depth = 0

    def whole(self) -> str:
        """Return all of it; where it has several rows of its own, they stand below each other."""
        rows = self._table((), 20)
        latex = " ".join(_environment("aligned" if any(len(row) > 1 for row in rows) else "gathered", rows).split())
        _require(latex != "" and self._at == len(self._signs))
        return latex

    def _table(self, ends: Collection[str], most: int) -> list[list[str]]:
        """Return rows of cells, up to one of the ends."""
        rows, row = [], [self._list({*ends, "&", r"\\"})]
        while (sign := self._peek()) in ("&", r"\\"):
            self._at += 1
            if sign == r"\\":
                ahead = "".join(sign for sign, _ in self._signs[self._at : self._at + 12])
                self._at += found.end() if (found := _SIZE.match(ahead)) else 0
                rows.append(row)
                row = []
            row.append(self._list({*ends, "&", r"\\"}))
            _require(len(row) <= most)
        return [*rows, row] if any(cell.strip() for cell in row) or not rows else rows

    def _list(self, ends: Collection[str]) -> str:
        """Return everything up to one of the ends, or to the end of the formula."""
        self._depth += 1
        _require(self._depth <= _DEEPEST)
        pieces = []
        while (sign := self._peek()) and sign not in ends:
            if sign == r"\middle" and r"\right" in ends:
                pieces.append(f"{self._next()}{self._next_of(_DELIMITERS)} ")
            else:
                pieces.append(self._with_scripts("" if sign in "^_'" else self._atom()))
            pieces.append(" " if self._signs[self._at - 1][1] else "")
        self._depth -= 1
        return "".join(pieces)

    def _with_scripts(self, base: str) -> str:
        """Return an atom with what stands above and below it: once each, as TeX wants it."""
        above, below = "", ""
        while (sign := self._peek()) in ("^", "_", "'"):
            self._at += 1
            if sign == "'":
                above += r"\prime"
            elif sign == "_":
                _require(not below)
                below = self._argument()
            else:
                _require(above.replace(r"\prime", "") == "")
                above += self._argument()
        scripts = (f"^{{{above}}}" if above else "") + (f"_{{{below}}}" if below else "")
        return f"{base.strip() or '{}'}{scripts}" if scripts else base

    def _atom(self) -> str:
        sign = self._next()
        if sign == "{":
            return f"{{{self._group()}}}"
        if sign.startswith("\\"):
            _require(sign in self._WRITERS)
            return self._WRITERS[sign](self, sign)
        _require(sign not in "}$#%&`" and sign >= " ")
        return sign if sign <= "~" or _is_mathematical(sign) else rf"\text{{{escape_latex(sign)}}}"

    def _group(self) -> str:
        inside = self._list("}")
        self._expect("}")
        return inside

    def _argument(self) -> str:
        """Return what the next argument holds: a group, or a single atom."""
        if self._peek() == "{":
            self._at += 1
            return self._group()
        _require(self._peek() not in ("", "^", "_", "'", "&", r"\\", r"\end", r"\right"))
        return self._atom()

    def _operator(self, sign: str) -> str:
        limits = self._next() if self._peek() in (r"\limits", r"\nolimits") else ""
        return f"{sign}{limits} "

    def _command(self, sign: str) -> str:
        name = r"\boldsymbol" if sign == r"\bm" else sign
        return name + "".join(f"{{{self._argument()}}}" for _ in range(_COUNTS[sign]))

    def _stretched(self, sign: str) -> str:
        """Return a command with an argument in brackets before the other."""
        option = ""
        if self._peek() == "[":
            self._at += 1
            option = f"[{{{self._list(']')}}}]"
            self._expect("]")
        return f"{sign}{option}{{{self._argument()}}}"

    def _words(self, sign: str) -> str:
        """Return words in a formula; in them only formulas and escaped signs."""
        self._expect("{")
        pieces = [self._signs[self._at - 1][1]]
        while (sign_in := self._next()) != "}":
            if sign_in == "$":
                pieces.append(f"${self._list('$')} $")  # never two dollar signs in a row
                self._expect("$")
            elif sign_in.startswith("\\"):
                _require(sign_in[1:] in tuple(" ,;:&%_#${}"))
                pieces.append(" " if sign_in[1] in " ,;:" else sign_in)
            else:
                _require(sign_in != "{")
                pieces.append(escape_latex(sign_in))
            pieces.append(self._signs[self._at - 1][1])
        name = r"\text" if sign in (r"\mbox", r"\hbox") else sign
        return f"{name}{{{''.join(pieces)}}}"

    def _fenced(self, _: str) -> str:
        opening, inside = self._next_of(_DELIMITERS), self._list((r"\right",))
        self._expect(r"\right")
        return rf"\left{opening} {inside}\right{self._next_of(_DELIMITERS)} "

    def _begun(self, _: str) -> str:
        name, columns = self._raw(), ""
        _require(name in _ROWS)
        called, most = _ROWS[name]
        if name == "array":
            columns = self._raw()
            _require(_COLUMNS.match(columns) is not None)
            most = sum(columns.count(column) for column in "lcr")
        elif name.startswith("alignat"):
            self._raw()
        rows = self._table((r"\end",), most)
        self._expect(r"\end")
        _require(self._raw() == name)
        return _environment(called or name, rows, columns)

    def _stacked(self, _: str) -> str:
        self._expect("{")
        rows = self._table("}", 1)
        self._expect("}")
        return rf"\substack{{{_joined(rows)}}}"

    def _named(self, sign: str) -> str:
        name = self._raw()
        _require(re.fullmatch(r"(?:[A-Za-z ,-]|\\,)+", name) is not None)
        return f"{sign}{{{name}}}"

    def _big(self, sign: str) -> str:
        return f"{sign}{self._next_of(_DELIMITERS)} "

    def _negated(self, _: str) -> str:
        return rf"\not{self._next_of(_NEGATED)} "

    def _tag(self, _: str) -> str:
        return rf"\qquad \text{{({escape_latex(self._raw())})}}"

    def _dropped(self, sign: str) -> str:
        """Leave a label or a colour out: its name may be unknown."""
        self._raw()
        return f"{{{self._argument()}}}" if sign == r"\textcolor" else ""

    _WRITERS: ClassVar[dict[str, Callable[[_Formula, str], str]]] = {
        **dict.fromkeys(_SYMBOLS, lambda _, sign: f"{sign} "),
        **dict.fromkeys(_WITH_LIMITS, _operator),
        **dict.fromkeys(_COUNTS, _command),
        **dict.fromkeys(_STRETCHED, _stretched),
        **dict.fromkeys(_WORDS, _words),
        **dict.fromkeys(_BIG, _big),
        **dict.fromkeys(_OTHERWISE, lambda _, sign: _OTHERWISE[sign]),
        **dict.fromkeys(_commands("operatorname operatorname*"), _named),
        **dict.fromkeys(_commands("tag tag*"), _tag),
        **dict.fromkeys(_commands("color textcolor label"), _dropped),
        **dict.fromkeys(_commands("nonumber notag hline"), lambda _, _sign: ""),
        r"\left": _fenced,
        r"\begin": _begun,
        r"\substack": _stacked,
        r"\not": _negated,
    }


def _environment(name: str, rows: list[list[str]], columns: str = "") -> str:
    if name == "gathered" and len(rows) == 1:
        return rows[0][0]
    given = f"{{{columns}}}" if columns else ""
    return rf"\begin{{{name}}}{given}{_joined(rows)}\end{{{name}}}"


def _joined(rows: list[list[str]]) -> str:
    lines = (" & ".join(row).strip() for row in rows)
    return r" \\ ".join(f"{{}}{line}" if line.startswith(("[", "*")) else line for line in lines)
