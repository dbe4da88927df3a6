"""TeX that a page may typeset: what draws where it stands, and nothing that moves, covers, loads, defines or recolours others.

An allow-list: a command that is not known here is shown as it was written. Left out on purpose are laps, raises, kerns and
other moves, rules, classes, links, definitions, and all that sets what later formulas look like.
"""

from __future__ import annotations

import re

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
_SIGNS = frozenset("\\{}%$&#_,:;>| '-/=^~.*\n`\"()[]")  # behind a backslash
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
    r"|\*\s*\{\s*\d{3}"  # columns without end
)


def is_tame(latex: str) -> bool:
    """Say whether a page may typeset this: it takes a known place, and changes nothing outside."""
    return not _MOVES.search(latex) and all(_is_known(found, latex) for found in _COMMAND.finditer(latex))


def _is_known(found: re.Match[str], latex: str) -> bool:
    name = found["name"]
    if name is None:
        return found["sign"] in _SIGNS or found["sign"] == "!"
    rule = _WITH_ARGUMENT.get(name)
    return name in _COMMANDS if rule is None else rule.match(latex, found.end()) is not None
