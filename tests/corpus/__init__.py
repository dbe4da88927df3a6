"""What a hostile model might write: one payload an entry, none of which may run, load, restyle, hide or steer anything."""

from __future__ import annotations

from tests.corpus.controls import INVISIBLE, TERMINAL
from tests.corpus.disguises import DISGUISES, FORMULAS
from tests.corpus.links import IMAGES, LINKS
from tests.corpus.markup import ELEMENTS, MUTATIONS

PAYLOADS = [*ELEMENTS, *MUTATIONS, *LINKS, *IMAGES, *DISGUISES, *FORMULAS, *TERMINAL, *INVISIBLE]
