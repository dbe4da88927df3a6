"""The offline service draws, speaks, runs code and names sources, for the official client too, and refuses what Google refuses."""

from __future__ import annotations

import pytest
from google import genai
from google.genai import errors, types

from nbgemini.offline.canned_answers import grounding, picture, sound
from tests.kinds import SUPPORTS, TEXT, prompt

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SEARCH = types.Tool(google_search=types.GoogleSearch())


@pytest.fixture
def official(service):
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url=service.url))


def parts_of(response):
    return response.candidates[0].content.parts


def test_every_kind_reaches_the_official_client(official):
    whole = official.models.generate_content(model="gemini-3.8-flash", contents=prompt())
    chunks = list(official.models.generate_content_stream(model="gemini-3.8-flash", contents=prompt()))
    for parts in (parts_of(whole), [part for chunk in chunks for part in parts_of(chunk)]):
        assert {part.inline_data.mime_type.split(";")[0] for part in parts if part.inline_data} == {"image/png", "audio/L16"}
        assert [part.code_execution_result.outcome for part in parts if part.code_execution_result] == [
            "OUTCOME_OK",
            "OUTCOME_FAILED",
        ]
        assert [part.executable_code.language for part in parts if part.executable_code] == ["PYTHON"]
    for candidate in (whole.candidates[0], chunks[-2].candidates[0]):
        places = [support.segment for support in candidate.grounding_metadata.grounding_supports]
        assert [TEXT.encode()[place.start_index : place.end_index].decode() for place in places] == [
            SUPPORTS[0][0],
            SUPPORTS[1][0],
        ]
    assert whole.candidates[0].url_context_metadata.url_metadata[0].retrieved_url == "https://lake.example/"


@pytest.mark.parametrize("model", ["gemini-3.1-flash-image", "gemini-2.5-flash-image"])
def test_a_picture_goes_back_through_the_official_chat(official, model):
    chat = official.chats.create(model=model)
    assert any(part.inline_data for part in parts_of(chat.send_message("a fox")))
    assert any(part.inline_data for part in parts_of(chat.send_message("in red")))


def test_speech_must_be_asked_for(official):
    spoken = types.GenerateContentConfig(response_modalities=["AUDIO"])
    said = official.models.generate_content(model="gemini-3.8-flash-tts", contents="hello", config=spoken)
    assert parts_of(said)[0].inline_data.mime_type == "audio/L16;codec=pcm;rate=24000"
    for model, config in (("gemini-3.8-flash-tts", None), ("gemini-3.8-flash", spoken)):
        with pytest.raises(errors.ClientError, match="combination of response modalities"):
            official.models.generate_content(model=model, contents="hello", config=config)


@pytest.mark.parametrize(
    ("model", "told", "said"),
    [
        ("gemini-2.5-flash", True, "Tool use with function calling is unsupported"),
        ("gemini-3.8-flash", False, "include_server_side_tool_invocations"),
    ],
)
def test_functions_and_search_together_are_refused_as_google_refuses_them(official, model, told, said):
    function = types.Tool(function_declarations=[types.FunctionDeclaration(name="f")])
    tool_config = types.ToolConfig(include_server_side_tool_invocations=True) if told else None
    config = types.GenerateContentConfig(tools=[function, SEARCH], tool_config=tool_config)
    with pytest.raises(errors.ClientError, match=said):
        official.models.generate_content(model=model, contents="hi", config=config)


def test_what_is_made_is_the_same_for_the_same_words():
    assert picture("a") == picture("a") != picture("b")
    assert len(sound(1.2)) == 3
    assert grounding("é b", [("b", "u", "t")], [])["groundingMetadata"]["groundingSupports"][0]["segment"] == {
        "startIndex": 3,
        "endIndex": 4,
        "text": "b",
    }


@pytest.mark.parametrize(
    "part", [["grounded", "a", [["a"]]], ["grounded", "a", [], 3], ["audio", "x"], ["image"], ["beside", 1]]
)
def test_a_directive_that_is_none_is_refused(official, part):
    with pytest.raises(errors.ClientError, match="directive is not valid"):
        official.models.generate_content(model="gemini-3.8-flash", contents=prompt([part]))
