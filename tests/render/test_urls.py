"""Hosts, as a reader can check them."""

from __future__ import annotations

import pytest

from nbgemini.render.urls import host_of


@pytest.mark.parametrize("host", ["x" * 1001, "x" * 300, "a b", "..", "a\u2100b.example"])
def test_a_host_that_no_reader_can_check_is_unreadable(host):
    assert host_of(f"https://{host}/") == host_of("https:///")


def test_hosts_of_other_alphabets_are_shown_as_they_are_asked_for():
    assert host_of("https://münchen.example/") == "xn--mnchen-3ya.example"
