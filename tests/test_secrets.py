"""A key that never shows itself."""

from __future__ import annotations

import copy
import pickle

import pytest

from nbgemini.secrets import Secret
from nbgemini.settings import Settings


def test_a_secret_never_shows_itself():
    secret = Secret(" AIzaKEY\n")
    assert secret.reveal() == "AIzaKEY"
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(Settings(key=secret))):
        assert "AIzaKEY" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    assert (secret == Secret("AIzaKEY"), secret == "AIzaKEY", bool(Secret(" "))) == (True, False, False)
