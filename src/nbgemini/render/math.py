"""Formulas for the page's own typesetter, and text in which it finds none.

A typesetter such as MathJax looks for delimiters in whatever text stands in a page and knows nothing of what the Markdown
parser took for a formula; but it never looks across an element's border. So outside formulas each dollar sign and each
backslash stands in an element of its own, or `$5 and $10` would become a formula, and a command that is refused here would
run all the same. Each formula stands in a box that cuts off whatever is drawn outside.
Invariants: what is typeset is what the parser took for a formula; nothing in it reaches out of the formula.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from nbgemini.render.escape import plain_html

INLINE_BOX = "display:inline-block;width:max-content;overflow:clip"
DISPLAY_BOX = "overflow-x:auto;overflow-y:hidden"
_TRIGGER = re.compile(r"[$\\]")
_SIGN = re.compile(r"\\.?|[{}]|\$\$?", re.DOTALL)
_WORDS_IN_FORMULA = (  # \text{if $x > 0$}
    r"\\(?:text\w*|mbox|hbox)\{(?:[^${}\\]|\\.|\$(?:[^${}\\]|\\.|\{[^${}]*+\})++\$)*+\}"
)
_DOLLARS = re.compile(
    rf"\$(?![\s$])(?P<inline>(?:[^$\\]|{_WORDS_IN_FORMULA}|\\.)++)(?<!\s)\$(?!\d)"
    rf"|\$\$(?!\s*\$\$)(?P<display>(?:[^$\\]|{_WORDS_IN_FORMULA}|\\.|\$(?!\$))++)\$\$",
    re.DOTALL,
)
_BRACKETED = re.compile(r"\\(?:\((?P<inline>(?:[^\\]|\\[^()\[\]])++)\\\)|\[(?P<display>(?:[^\\]|\\[^()\[\]])++)\\\])")
CLOSING = {r"\(": r"\)", r"\[": r"\]"}
_LONGEST = 10_000  # characters
_DEEPEST = 40  # braces in each other
_WORDS = re.compile(r"\\(?:text\w*|mbox|hbox|mathrm|operatorname\*?|label|tag\*?|ce|pu)\s*\{[^{}]*+\}")
_PROSE = re.compile(r"(?:(?<![\w^{])[^\W\d_]{2,}[,;:]?\s+){2}[^\W\d_]{2,}")  # three words in a row
_WORD_BETWEEN = re.compile(r"\s[A-Za-z]{2,}\s")
_WORD = re.compile(r"[A-Za-z]{2}")
_ARITHMETIC = re.compile(r"[\d\s.,]*\d\s*[+*/×·÷^=<>≤≥±−–%-][\d\s.,+*/×·÷^=<>()±−–%-]*")  # noqa: RUF001 - as models write it
_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d%?\s*")
_MATH_SIGNS = "\\^_{}=<>"
_FOREIGN = ('"', "`", "](", "**", "||", "&&", "://")  # of shells, programs and Markdown
_NAME = re.compile(r"[A-Za-z_]\w+\Z", re.ASCII)


def formula(latex: str, opening: str) -> str:
    """Return a formula with its delimiters as HTML; one that a page must not typeset is code."""
    is_fit, source = _delimited(latex, opening)
    return f'<span style="{INLINE_BOX}">{source}</span>' if is_fit else f"<code>{source}</code>"


def display_formula(latex: str, opening: str) -> str:
    """Return a formula on lines of its own as HTML."""
    is_fit, source = _delimited(latex, opening)
    return f'<div style="{DISPLAY_BOX}">{source}</div>\n' if is_fit else f"<div><code>{source}</code></div>\n"


def _delimited(latex: str, opening: str) -> tuple[bool, str]:
    """Return a formula with its delimiters as HTML, behind whether a page may typeset it."""
    closing = CLOSING.get(opening, opening)
    is_fit = len(latex) <= _LONGEST and is_tame(latex) and _is_one_formula(latex, closing)
    return is_fit, escape(f"{opening}{latex}{closing}", quote=False)


def untypeset(html: str) -> str:
    """Return escaped text so that a typesetter leaves it alone."""
    return _TRIGGER.sub(r"<span>\g<0></span>", html)


def prose(text: str) -> str:
    """Return plain text as HTML that a typesetter leaves alone."""
    return untypeset(plain_html(text))


def dollars_rule(state: Any, silent: bool) -> bool:
    """Parse `$…$` and `$$…$$` in a line of text, unless they are sums of money, variables or tickers."""
    before = state.src[max(0, state.pos - 1) : state.pos]
    is_in_word = before == "_" or (before.isascii() and before.isalnum())
    if state.src[state.pos] != "$" or is_in_word or state.pending.endswith("$"):
        return False
    found = _DOLLARS.match(state.src, state.pos, state.posMax)
    if not found or not is_written_as_formula(found["inline"] or found["display"], state.src[found.end() : found.end() + 1]):
        return False
    _push(state, found, "$" if found["inline"] else "$$", silent=silent)
    return True


def brackets_rule(state: Any, silent: bool) -> bool:
    r"""Parse `\(…\)` and `\[…\]` in a line of text, where Markdown alone would see escaped brackets."""
    if state.src[state.pos] != "\\":
        return False
    found = _BRACKETED.match(state.src, state.pos, state.posMax)
    if not found or not is_mathematics(found["inline"] or found["display"], in_parentheses=bool(found["inline"])):
        return False
    _push(state, found, found.group()[:2], silent=silent)
    return True


def _push(state: Any, found: re.Match[str], opening: str, *, silent: bool) -> None:
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = found["inline"] or found["display"], opening
    state.pos = found.end()


def _is_one_formula(latex: str, closing: str) -> bool:
    """Say whether a typesetter, which skips braces and escaped signs, will see the end where the parser saw it."""
    depth = 0
    for sign in map(re.Match.group, _SIGN.finditer(latex)):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if not 0 <= depth <= _DEEPEST or sign == "\\" or (depth == 0 and sign == closing):
            return False
    return depth == 0


def is_mathematics(latex: str, *, in_parentheses: bool = False) -> bool:
    r"""Tell a formula from text in escaped brackets, such as `\[sic\]`."""
    if is_prose(latex) or not any(map(str.isalnum, latex)):
        return False
    if any(sign in latex for sign in _MATH_SIGNS) or (not _WORD.search(latex) and any(map(str.isalpha, latex))):
        return True
    return _ARITHMETIC.fullmatch(latex.strip()) is not None or (in_parentheses and _NUMBER.fullmatch(latex) is not None)


def is_written_as_formula(latex: str, behind: str) -> bool:
    """Tell a formula between dollar signs from what else has them; `behind` is the next character."""
    if is_prose(latex) or not _is_balanced(latex):
        return False
    has_commands = "\\" in latex
    if not has_commands and (any(sign in latex for sign in _FOREIGN) or (latex[0].isdigit() and _WORD_BETWEEN.search(latex))):
        return False
    if behind == "{":
        return has_commands
    if behind.isascii() and (behind.isalpha() or behind in ("_", "(")):  # $HOME/bin:$PATH, but the $i$th
        return has_commands or len(latex) == 1 or (any(sign in latex for sign in "^{_") and _NAME.match(latex) is None)
    return True


def is_prose(latex: str) -> bool:
    """Say whether three words follow each other, outside of TeX's own texts."""
    return _PROSE.search(_COMMAND.sub(r"\\", _WORDS.sub(r"\\", latex))) is not None


def _is_balanced(latex: str) -> bool:
    """Say whether no parenthesis ends that has not begun, as in `$AAPL) vs ($TSLA`."""
    depth = 0
    for char in latex if "\\" not in latex else "":
        depth += {"(": 1, "[": 1, ")": -1}.get(char, 0)  # [0, 1) and ]0, 1[ are intervals
        if depth < 0:
            return False
    return True


# TeX that a page may typeset: an allow-list of what draws where it stands. Whatever is not on it is shown as it was written:
# laps, raises, kerns and other moves, rules, classes, links, definitions, and all that sets what later formulas look like.

_DRAWING = """
Aboxed abs absolutevalue acomm acute aleph Alpha alpha amalg And angle anticommutator approx approxeq arccos arcsin arctan
arg argmax argmin array Arrowvert arrowvert ast asymp atop atopwithdelims backepsilon backprime backsim backsimeq backslash
bar barwedge Bbb Bbbk bcancel because Beta beta beth between bf Big big bigcap bigcirc bigcup Bigg bigg Biggl biggl Biggm
biggm Biggr biggr Bigl bigl Bigm bigm bigodot bigoplus bigotimes Bigr bigr bigsqcup bigstar bigtimes bigtriangledown
bigtriangleup biguplus bigvee bigwedge binom blacklozenge blacksquare blacktriangle blacktriangledown blacktriangleleft
blacktriangleright bm bmod boldsymbol bot bowtie Box boxdot boxed boxminus boxplus boxtimes Bqty bqty Bra bra brace
bracevert brack Braket braket breve buildrel bullet Bumpeq bumpeq C cal cancel cancelto Cap cap cases cdot cdotp cdots ce
centerdot centernot cfrac check checkmark Chi chi choose circ circeq circlearrowleft circlearrowright circledast circledcirc
circleddash circledR circledS clubsuit colon Colonapprox colonapprox Coloneq coloneq Coloneqq coloneqq Colonsim colonsim
comm commutator complement Complex cong coprod cos cosh cot coth cr crampedsubstack csc Cup cup curlyeqprec curlyeqsucc
curlyvee curlywedge curvearrowleft curvearrowright dagger daleth dashleftarrow dashrightarrow dashv dbinom dblcolon dd
ddagger ddddot dddot ddot ddots deg degree Delta delta derivative det dfrac diagdown diagup Diamond diamond diamondsuit
diffd differential digamma dim displaystyle div divideontimes divsymbol dot Doteq doteq doteqdot dotplus dots dotsb dotsc
dotsi dotsm dotso doublebarwedge doublecap doublecup Downarrow downarrow downdownarrows downharpoonleft downharpoonright dv
dyad ell emph empty emptyset enspace Epsilon epsilon eqcirc Eqcolon eqcolon eqnarray Eqqcolon eqqcolon eqsim eqslantgtr
eqslantless equation equiv Eta eta eth ev eval evaluated exists exp expectationvalue expval fallingdotseq fbox fderivative
fdv Finv flat flatfrac forall frac frak frown functionalderivative Game Gamma gamma gcd ge geq geqq geqslant gets gg ggg
gggtr gimel gnapprox gneq gneqq gnsim grave gt gtrapprox gtrdot gtreqless gtreqqless gtrless gtrsim gvertneqq hat hbar hbox
hdashline hdots heartsuit hfill hline hom hookleftarrow hookrightarrow hphantom hslash Huge huge idotsint iff iiiint iiint
iint Im imath impliedby implies in inf infin infty injlim innerproduct int intercal intop Iota iota ip isin it jmath Join
Kappa kappa ker Ket ket Ketbra ketbra label Lambda lambda land lang langle LARGE Large large LaTeX lbrace lceil ldotp ldots
le leadsto left Leftarrow leftarrow leftarrowtail leftharpoondown leftharpoonup leftleftarrows Leftrightarrow leftrightarrow
leftrightarrows leftrightharpoons leftrightsquigarrow leftthreetimes leq leqq leqslant lessapprox lessdot lesseqgtr
lesseqqgtr lessgtr lesssim lfloor lg lgroup lhd lim liminf limits limsup ll llbracket llcorner Lleftarrow lll llless
lmoustache ln lnapprox lneq lneqq lnot lnsim log Longleftarrow longleftarrow Longleftrightarrow longleftrightarrow
longleftrightarrows longLeftrightharpoons longmapsto Longrightarrow longrightarrow longRightleftharpoons
longrightleftharpoons looparrowleft looparrowright lor lozenge lparen lrcorner Lsh lt ltimes lVert lvert lvertneqq maltese
mapsto mathbb mathbbm mathbf mathbin mathcal mathclose mathds mathellipsis mathfrak mathinner mathit mathnormal mathop
mathopen mathpunct mathrel mathring mathrm mathscr mathsf mathstrut mathtt mathup matrix matrixel matrixelement max mbox
measuredangle medspace mel mho mid middle min mit mod models mp Mu mu multimap N nabla natural ncong ndownarrow ne nearrow
neg neq newline nexists ngeq ngeqq ngeqslant ngtr ni nLeftarrow nleftarrow nLeftrightarrow nleftrightarrow nleq nleqq
nleqslant nless nmid nobreakspace nolimits nonumber norm normalsize not notag notin nparallel nprec npreceq nRightarrow
nrightarrow nshortmid nshortparallel nsim nsubseteq nsubseteqq nsucc nsucceq nsupseteq nsupseteqq ntriangleleft
ntrianglelefteq ntriangleright ntrianglerighteq Nu nu nuparrow nVDash nVdash nvDash nvdash nwarrow odot oiiint oiint oint
Omega omega Omicron omicron ominus op operatorname operatornamewithlimits oplus order oslash otimes outerproduct over
overbrace overbracket overleftarrow overleftrightarrow overline overrightarrow overset overunderset overwithdelims owns
parallel partial partialderivative pb pderivative pdv perp phantom Phi phi Pi pi pitchfork plusmn pm pmatrix pmb pmod pod
poissonbracket pqty Pr prec precapprox preccurlyeq preceq precnapprox precneqq precnsim precsim prescript prime prod projlim
propto Psi psi pu Q qquad qty quad quantity R rang rangle rbrace rceil Re Reals reals restriction rfloor rgroup rhd Rho rho
right Rightarrow rightarrow rightarrowtail rightharpoondown rightharpoonup rightleftarrows rightleftharpoons
rightrightarrows rightsquigarrow rightthreetimes risingdotseq rm rmoustache root rparen rrbracket Rrightarrow Rsh rtimes
rVert rvert S scr scriptscriptstyle scriptsize scriptstyle searrow sec Set set setminus sf sharp shortmid shortparallel
shoveleft shoveright sideset Sigma sigma sim simeq sin sinh small smallfrown smallint smallsetminus smallsmile smile space
spadesuit sphericalangle sqcap sqcup sqrt sqsubset sqsubseteq sqsupset sqsupseteq square stackbin stackrel star strut sub
sube Subset subset subseteq subseteqq subsetneq subsetneqq substack succ succapprox succcurlyeq succeq succnapprox succneqq
succnsim succsim sum sup supe Supset supset supseteq supseteqq supsetneq supsetneqq surd swarrow tag tan tanh Tau tau tbinom
TeX text textasciitilde textbackslash textbf textdegree textellipsis texteuro textgreater textit textless textnormal
textquotedblleft textquotedblright textquoteleft textquoteright textrm textsf textstyle texttt textunderscore textup tfrac
therefore Theta theta thetasym thickapprox thicksim thickspace thinspace tilde times Tiny tiny to top triangle triangledown
triangleleft trianglelefteq triangleq triangleright trianglerighteq tripledash tt twoheadleftarrow twoheadrightarrow
ulcorner underbar underbrace underbracket underleftarrow underleftrightarrow underline underrightarrow underset unlhd unrhd
Uparrow uparrow Updownarrow updownarrow upharpoonleft upharpoonright uplus Upsilon upsilon upuparrows urcorner utilde var
varDelta varepsilon varGamma variation varinjlim varkappa varLambda varliminf varlimsup varnothing varOmega varPhi varphi
varPi varpi varprojlim varpropto varPsi varrho varSigma varsigma varsubsetneq varsubsetneqq varsupsetneq varsupsetneqq
varTheta vartheta vartriangle vartriangleleft vartriangleright varUpsilon varXi Vdash vDash vdash vdots vec vee veebar Vert
vert vphantom vqty Vvdash wedge widehat widetilde wp wr xcancel xhookleftarrow xhookrightarrow Xi xi xLeftarrow xleftarrow
xleftharpoondown xleftharpoonup xLeftrightarrow xleftrightarrow xLeftrightharpoons xleftrightharpoons xlongequal xmapsto
xRightarrow xrightarrow xrightharpoondown xrightharpoonup xRightleftharpoons xrightleftharpoons xtwoheadleftarrow
xtwoheadrightarrow yen Z Zeta zeta
"""
_COMMANDS = frozenset(_DRAWING.split())
_ESCAPED_SIGNS = frozenset("!\\{}%$&#_,:;>| '-/=^~.*\n`\"()[]")  # behind a backslash
_LAID_OUT = """
align aligned alignat alignedat array Bmatrix bmatrix bsmallmatrix cases CD dcases drcases eqnarray equation flalign gather
gathered matrix multline multlined pmatrix psmallmatrix rcases smallmatrix split subarray Vmatrix vmatrix vsmallmatrix
"""
_ENVIRONMENTS = frozenset(_LAID_OUT.split())
ENVIRONMENT = rf"(?:{'|'.join(sorted(_ENVIRONMENTS))})\*?"
_COMMAND = re.compile(r"\\(?:(?P<name>[A-Za-z]+)|(?P<sign>.))", re.DOTALL)
_LENGTH = r"\s*\d{0,2}(?:\.\d{0,4})?\s*(?:em|ex|pt|mm|cm|px|mu)\s*"
_NAMED = r"\s*(?:\[[A-Za-z]{1,10}\]\s*)?\{[\w #,.!-]{1,40}\}"
_WITH_ARGUMENT = {  # these only with what their argument may be
    "begin": re.compile(rf"\s*\{{{ENVIRONMENT}\}}"),
    "end": re.compile(rf"\s*\{{{ENVIRONMENT}\}}"),
    "hspace": re.compile(rf"\*?\s*\{{{_LENGTH}\}}"),
    "color": re.compile(_NAMED),
    "textcolor": re.compile(_NAMED),
    "colorbox": re.compile(_NAMED),
    "fcolorbox": re.compile(rf"{_NAMED}{_NAMED}"),
}
_MOVES = re.compile(
    r"\\\\\*?\s*\[\s*(?:-|\d{3})"  # a row that is drawn over the one above, or far below it
    r"|(?:\\!\s*){5}"  # thin steps back that become a long one
    r"|\*\s*\{\s*\d{3}|\*\s*\{\s*\d+\s*\}\s*\{[^{}]*\*"  # columns without end, or repeated again and again
)


def is_tame(latex: str) -> bool:
    """Say whether a page may typeset this: it takes a known place, and changes nothing outside."""
    for found in _COMMAND.finditer(latex):
        name = found["name"]
        if name is None:
            is_known = found["sign"] in _ESCAPED_SIGNS
        else:
            is_known = bool(rule.match(latex, found.end())) if (rule := _WITH_ARGUMENT.get(name)) else name in _COMMANDS
        if not is_known:
            return False
    return not _MOVES.search(latex)
