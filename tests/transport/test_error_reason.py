"""What an error says is found in whatever shape a service or a gateway wraps it, and the advice fits what it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from nbgemini._environment import HOST
from nbgemini.errors import ApiError, AuthenticationError, RateLimitError, ServerError
from nbgemini.transport.api_errors import Reason, error_from_body, error_from_data, error_in, reason_of


def error(code, body):
    return error_from_body(code, body if isinstance(body, bytes) else json.dumps(body).encode(), key_name="X_API_KEY")


def google(message, reason="", **more):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": details, **more}}


QUOTED = json.dumps({"error": {"message": "No way.", "type": "invalid_request_error", "code": None}})


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No way."}},
        [{"error": {"message": "No way."}}],
        {"error": "No way."},
        {"error": "No way.", "code": "invalid-argument"},
        {"object": "error", "message": "No way.", "type": "BadRequestError"},
        {"message": "No way.", "request_id": "r"},
        {"code": 400, "message": "No way."},
        {"detail": "No way."},
        {"detail": {"error": "No way."}},
        {"detail": [{"type": "missing", "msg": "No way.", "input": {}}]},
        {"errors": [{"message": "No way.", "code": 7003}], "success": False},
        {"statusCode": 400, "message": "No way.", "error": "Bad Request"},
        {"type": "about:blank", "title": "No way.", "status": 400},
        {"error": "invalid_request", "error_description": "No way."},
        {"fault": {"faultstring": "No way."}},
        {"base_resp": {"status_code": 1004, "status_msg": "No way."}},
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": QUOTED, "provider_name": "P"}}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": "No way."}}},
        {"error": {"message": QUOTED, "status": "Bad Request"}},
        {"error": {"message": f"BadRequestError: OpenAIException - {QUOTED}"}},
        {"error": {"message": "upstream failed", "upstream": {"error": {"message": "No way."}}}},
        {"error": {"message": {"message": "No way."}}},
    ],
)
def test_the_innermost_message_is_told(body):
    made = error(400, body)
    assert str(made).startswith("No way. (400")
    assert (type(made), made.passing) == (ApiError, False)


def test_a_place_in_the_request_is_told():
    assert "body.model: Field required (422 missing)" in str(
        error(422, {"detail": [{"type": "missing", "loc": ["body", "model"], "msg": "Field required"}]})
    )


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "unauthorized", "type": "api_error"}},
        {"error": {"message": "no", "code": 500, "type": "server_error"}},
        {"error": "unauthorized"},
        {"object": "error", "message": "Unauthorized", "type": "invalid_request_error"},
        {"message": "Unauthorized", "request_id": "r"},
        {"detail": "Not authenticated"},
        b"<html>401</html>",
        b"",
        {},
    ],
)
def test_a_401_of_any_shape_is_a_wrong_key_and_does_not_pass(body):
    made = error(401, body)
    assert (type(made), made.passing, made.code) == (AuthenticationError, False, 401)
    assert "set X_API_KEY" in str(made)


@pytest.mark.parametrize(
    "message",
    [
        "Incorrect API key provided: xa***.",
        "API key not valid. Please pass a valid API key.",
        "Invalid API Key",
        "Missing API key",
        "login fail: Please carry the API secret key",
    ],
)
def test_a_wrong_key_is_one_by_its_words_too(message):
    for made in (error(400, {"code": "invalid-argument", "error": message}), error_from_data(0, {"message": message})):
        assert (type(made), made.passing) == (AuthenticationError, False)


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        (google("X API has not been used in project 1 before or it is disabled.", "SERVICE_DISABLED"), "switch this API on"),
        (google("Permission 'a.b' denied on resource '//x' (or it may not exist).", "IAM_PERMISSION_DENIED"), "(IAM)"),
        (google("Caller does not have required permission to use project x.", "USER_PROJECT_DENIED"), "(IAM)"),
        (google("This API method requires billing to be enabled.", "BILLING_DISABLED"), "billing of the project"),
        (google("CachedContent not found (or permission denied)"), ""),
        (google("You do not have permission to access the File abc or it may not exist."), ""),
        ({"error": {"message": "User: x is not authorized to perform: bedrock:InvokeModel"}}, "(IAM)"),
        ({"error": {"code": 403, "message": "m requires moderation and your input was flagged"}}, "in other words"),
        ({"error": {"code": "unsupported_country_region_territory", "message": "Country not supported"}}, ""),
        (b"<html><title>403 Forbidden</title></html>", "from a proxy or firewall"),
        (google("Requests from referer <empty> are blocked.", "API_KEY_HTTP_REFERRER_BLOCKED"), "the key is restricted"),
        (google("Requests to this API are blocked.", "API_KEY_SERVICE_BLOCKED"), "the key is restricted"),
        ({"message": "User is not authorized to access this resource with an explicit deny"}, ""),
        ({"error": {"message": "Your account is not allowed to access model m", "code": "model_not_allowed"}}, ""),
    ],
)
def test_a_403_about_something_else_sends_nobody_to_look_for_a_key(body, advice):
    made = error(403, body)
    assert (type(made), made.passing, made.code) == (ApiError, False, 403)
    assert "X_API_KEY" not in str(made)
    assert ("→" in str(made), advice in str(made)) == (bool(advice), True)


@pytest.mark.parametrize(
    "message", ["Your API key was reported as leaked.", "Method doesn't allow unregistered callers.", "no"]
)
def test_any_other_403_is_about_the_key(message):
    assert isinstance(error(403, google(message)), AuthenticationError)


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}, ServerError),
        (500, {"error": "model requires more system memory (5.5 GiB) than is available"}, ServerError),
        (500, {"error": {"message": "image input is not supported", "type": "server_error"}}, ServerError),
        (500, {"error": {"message": "no", "type": "invalid_request_error"}}, ServerError),
        (503, {"error": {"message": "no such model", "code": "model_not_found"}}, ServerError),
        (501, {"error": {"message": "not here", "type": "not_supported_error"}}, ServerError),
        (429, {"error": {"message": "Quota exceeded, limit: 0, model: m", "status": "RESOURCE_EXHAUSTED"}}, RateLimitError),
        (429, {"error": {"code": "1113", "message": "Insufficient balance. Please recharge."}}, RateLimitError),
        (429, {"error": {"type": "exceeded_current_quota_error", "message": "no"}}, RateLimitError),
        (402, {"message": "no"}, ApiError),
    ],
)
def test_what_can_not_pass_is_not_asked_again(code, body, kind):
    made = error(code, body)
    assert (type(made), made.passing, made.code) == (kind, False, code)
    assert "ask again" not in str(made)


@pytest.mark.parametrize(("code", "body"), [(503, b""), (502, b"<html>"), (500, {}), (429, {"detail": "slow down"}), (529, {})])
def test_what_may_pass_is_asked_again(code, body):
    assert error(code, body).passing


def test_a_code_that_is_no_http_status_is_a_word():
    made = error(429, {"error": {"code": "1302", "message": "slow"}})
    assert (made.code, made.status, made.passing) == (429, "1302", True)


def test_an_object_that_says_nothing_of_an_error_is_none():
    for data in ({}, {"error": None}, {"error": {}}, {"detail": ""}, {"base_resp": {"status_code": 0}}, {"message": 5}):
        assert error_in(data, bare=True) is None
    assert error_in({"message": "m", "detail": "d"}, bare=False) is None
    assert error_in({"error": "m"}, bare=False) == {"message": "m"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "detail", "metadata", "raw", "errors", "loc", "details", "reason"]),
            inner,
        )
    ),
    max_leaves=15,
)


@given(JSON, st.integers(0, 599))
def test_any_json_is_one_line_of_an_error(data, code):
    assert isinstance(reason_of(data), Reason)
    made = error(code, data)
    assert "\n" not in str(made)
    if isinstance(data, dict):
        error_in(data, bare=True)


def test_an_error_within_errors_without_end_is_read_as_far_as_it_makes_sense():
    data = {"message": "deep"}
    for _ in range(500):
        data = {"error": data}
    assert reason_of(data) == Reason()
    text = "{" * 100_000
    assert reason_of(text) == Reason(text)


def test_a_401_of_an_address_that_takes_no_keys_asks_for_none():
    said = {"error": {"code": 401, "message": "API keys are not supported by this API. Expected OAuth2 access token."}}
    error = error_from_body(401, json.dumps(said).encode())
    assert (type(error), error.passing) == (ApiError, False)
    assert "GEMINI_API_KEY" not in str(error)
    assert "takes OAuth tokens, not keys" in str(error)


def test_a_wrong_key_may_be_told_with_a_200():
    said = {"base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the API secret key"}}
    assert type(error_from_body(200, json.dumps(said).encode())) is AuthenticationError


def test_the_words_of_a_service_stay_as_they_are(monkeypatch):
    """Outside of notebooks our own options are called as Python calls them; a server's are its own."""
    monkeypatch.setattr(HOST, "magics", False)
    error = error_from_body(500, b'{"error": {"message": "tools param requires --jinja flag, not -k low"}}')
    assert str(error).startswith("tools param requires --jinja flag, not -k low (500)")
    long = error_from_body(400, b'{"error": {"message": "prompt is too long: run with --ctx-size"}}')
    assert str(long) == (
        "prompt is too long: run with --ctx-size (400)"
        " → begin another chat, or a model with a larger window (client.list_models())"
    )
