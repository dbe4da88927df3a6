"""Files: google-genai uploads to the offline service unchanged; what it has not is refused as Google refuses it."""

from __future__ import annotations

import io

import pytest

from nbgemini.offline.input_report import report
from tests.support.files import png

genai = pytest.importorskip("google.genai")


@pytest.fixture
def sdk(service):
    with genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=service.url)) as client:
        yield client


def test_the_official_client_uploads_asks_lists_and_deletes(sdk):
    file = sdk.files.upload(file=io.BytesIO(png(640, 480)), config={"mime_type": "image/png", "display_name": "a picture"})
    assert (file.state.name, file.size_bytes, file.display_name, file.source.name) == (
        "ACTIVE",
        len(png(640, 480)),
        "a picture",
        "UPLOADED",
    )
    answer = sdk.models.generate_content(model="gemini-3.8-flash", contents=[file, "What is this?"])
    assert "640 by 480 pixels" in answer.text
    assert [each.name for each in sdk.files.list()] == [file.name]
    sdk.files.delete(name=file.name)
    with pytest.raises(genai.errors.ClientError, match="permission to access the File"):
        sdk.files.get(name=file.name)
    with pytest.raises(genai.errors.ClientError, match="may not exist"):
        sdk.models.generate_content(model="gemini-3.8-flash", contents=[file, "And now?"])


def test_many_pieces_arrive_as_one_file(sdk, tmp_path):
    path = tmp_path / "long.txt"
    path.write_bytes(b"0123456789abcdef" * 1_200_000)  # 19 MB: three pieces of the official client
    file = sdk.files.upload(file=path)
    assert (file.size_bytes, file.mime_type) == (path.stat().st_size, "text/plain")


def test_a_video_is_active_after_a_while(sdk):
    file = sdk.files.upload(file=io.BytesIO(b"\0\0\0\x18ftypmp42"), config={"mime_type": "video/mp4"})
    assert file.state.name == "PROCESSING"
    with pytest.raises(genai.errors.ClientError, match="not in an ACTIVE state"):
        sdk.models.generate_content(model="gemini-3.8-flash", contents=[file])
    states = [sdk.files.get(name=file.name).state.name for _ in range(2)]
    assert states == ["PROCESSING", "ACTIVE"]


def content(*parts):
    return {"role": "user", "parts": list(parts)}


def answer_to(*parts):
    return "".join(text for kind, text in report(content(*parts), lambda _: (b"", 0)) if kind == "answer")


def test_a_table_is_measured():
    table = "| city | sold |\n| --- | --- |\n| Rome | 3 |\n| a\\|b | 4.5 |\n\n(first 2 of 1,000 rows)"
    said = answer_to({"text": f"What sells?\n{table}\nThanks"})
    assert "a **table** of 2 columns (city, sold) and 2 rows shown of 1,000" in said
    assert "`sold`: 3 to 4.5, 3.75 on average" in said


def test_without_anything_to_look_at_nothing_is_said():
    assert report(content({"text": "a | b and no table\n|---|"}), lambda _: (b"", 0)) == []


def test_what_is_no_picture_is_told_by_its_size_alone():
    said = answer_to(
        {"inlineData": {"mimeType": "image/png", "data": "bm90IG9uZQ"}}, {"inlineData": {"mimeType": "", "data": "!"}}
    )
    assert "**image** (image/png), 7 bytes" in said
