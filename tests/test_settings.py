"""Settings, as the environment gives them."""

from __future__ import annotations

import math

import pytest

from nbgemini import Settings
from nbgemini.errors import ConfigurationError
from nbgemini.settings import LIVE_URL, from_environment


def test_the_environment_is_read_as_the_official_client_reads_it():
    found = from_environment({"GOOGLE_API_KEY": "a", "GEMINI_API_KEY": "b", "GOOGLE_GENAI_API_VERSION": "beta"})
    assert (found.key.reveal(), found.version, found.base_url) == ("a", "v1beta", LIVE_URL)
    found = from_environment({"GEMINI_API_KEY": "b", "GOOGLE_GENAI_API_VERSION": "v1", "GOOGLE_GEMINI_BASE_URL": "https://x"})
    assert (found.key.reveal(), found.version, found.base_url) == ("b", "v1", "https://x")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"retries": "2"}, "retries='2' can't be used: expected int, got str"),
        ({"retries": -1}, "retries=-1 can't be used: expected int >= 0"),
        ({"max_streams": 0}, "max_streams=0 can't be used: expected int >= 1"),
        ({"connect_timeout": None}, "connect_timeout=None can't be used: expected float, got None"),
        ({"gap_timeout": math.nan}, "gap_timeout=nan can't be used: expected float > 0.0"),
        ({"model": 3}, "model=3 can't be used: expected str, got int"),
        ({"source": "http"}, "source='http' can't be used: expected one of rest, sdk"),
        ({"allow_secrets": "no"}, "allow_secrets='no' can't be used: expected bool, got str"),
        ({"cache": 3}, "cache can't be of type int"),
        ({"prices": "prices.json"}, "prices can't be of type str"),
        ({"services": ["http://127.0.0.1:9"]}, "services can't be of type list"),
        ({"services": {"mine": 9}}, "the service 'mine' is given as its address or as a Service"),
        ({"key": 5}, "a key is text, not int"),
    ],
)
def test_a_setting_that_can_not_be_is_one_line_where_it_is_given(wrong, line):
    with pytest.raises(ConfigurationError) as caught:
        Settings(**wrong)
    assert str(caught.value) == line
