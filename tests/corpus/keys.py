"""Keys of the forms that services use, which nobody ever had."""

from __future__ import annotations

import random
import string

ALPHANUMERIC = string.ascii_letters + string.digits


def made(prefix, length, alphabet=ALPHANUMERIC, seed=1):
    """A key of a service's form that nobody ever had."""
    chance = random.Random(seed)
    return prefix + "".join(chance.choice(alphabet) for _ in range(length))


PEM = "-----BEGIN {}PRIVATE KEY-----\n" + made("MIIE", 60, ALPHANUMERIC + "+/") + "\n-----END PRIVATE KEY-----"


KEYS = {
    "google": made("AIza", 35, ALPHANUMERIC + "_-"),
    "openai": made("sk-", 48),
    "openai project": made("sk-proj-", 120, ALPHANUMERIC + "_-"),
    "anthropic": made("sk-ant-api03-", 95, ALPHANUMERIC + "_-"),
    "github": made("ghp_", 36),
    "github fine": made("github_pat_", 82),
    "aws": made("AKIA", 16, string.ascii_uppercase + "234567", seed=3),
    "hugging face": made("hf_", 34),
    "slack": made("xoxb-", 40, string.digits + "abcdefghij"),
    "pem": PEM.format(""),
    "rsa": PEM.format("RSA "),
    "openssh": PEM.format("OPENSSH "),
    "in a file of JSON": PEM.format("").replace("\n", "\\n"),
}
