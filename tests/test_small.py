"""Facts of the small rooms: secrets, prices, settings, the public face."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

import nbgemini
from nbgemini.secrets import Secret
from nbgemini.settings import LIVE_URL, Settings, from_environment


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


def test_the_environment_is_read_as_the_official_client_reads_it():
    found = from_environment({"GOOGLE_API_KEY": "a", "GEMINI_API_KEY": "b", "GOOGLE_GENAI_API_VERSION": "beta"})
    assert (found.key.reveal(), found.version, found.base_url) == ("a", "v1beta", LIVE_URL)
    found = from_environment({"GEMINI_API_KEY": "b", "GOOGLE_GENAI_API_VERSION": "v1", "GOOGLE_GEMINI_BASE_URL": "https://x"})
    assert (found.key.reveal(), found.version, found.base_url) == ("b", "v1", "https://x")


def test_the_face_is_small_and_every_name_is_there():
    assert len(nbgemini.__all__) <= 15
    assert all(getattr(nbgemini, name) for name in nbgemini.__all__)


def test_importing_and_loading_pulls_in_nothing_heavy():
    code = (
        "import sys, nbgemini, nbgemini.extension\n"
        "heavy = {'httpx2', 'google.genai', 'pydantic', 'ipywidgets', 'anywidget', 'markdown_it', 'nh3', 'msgspec', 'nbgemini.chat.reply'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
