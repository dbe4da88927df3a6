"""Settings, as the environment gives them."""

from __future__ import annotations

from nbgemini.settings import LIVE_URL, from_environment


def test_the_environment_is_read_as_the_official_client_reads_it():
    found = from_environment({"GOOGLE_API_KEY": "a", "GEMINI_API_KEY": "b", "GOOGLE_GENAI_API_VERSION": "beta"})
    assert (found.key.reveal(), found.version, found.base_url) == ("a", "v1beta", LIVE_URL)
    found = from_environment({"GEMINI_API_KEY": "b", "GOOGLE_GENAI_API_VERSION": "v1", "GOOGLE_GEMINI_BASE_URL": "https://x"})
    assert (found.key.reveal(), found.version, found.base_url) == ("b", "v1", "https://x")
