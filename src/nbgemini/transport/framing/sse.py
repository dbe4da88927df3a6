"""Server-sent events, read as the WHATWG specification says and as real services bend it.

Lines end at CR, LF or CRLF and nowhere else (U+2028 and friends are legal inside JSON). Comments and unknown fields are
ignored, `data:` needs no space, several `data:` lines are one event, `[DONE]` is not a frame. A line that is no field but
JSON (Google reports late errors as bare objects) is cut out by the JSON framer. An error that only the field (`error: {…}`, as
llama.cpp and GPUStack have it) or the event's name (`event: error`) tells of becomes an object with the key `error`, which all
dialects read.
"""

from __future__ import annotations

import json

from nbgemini.transport.framing.json_objects import LARGEST, JsonFramer

DONE = b"[DONE]"
_FIELD = b"data: "
_OBJECT = b"data: {"


class SseFramer:
    """Cuts the data of server-sent events out of bytes.

    Attributes:
        too_large: a line or an event grew beyond the limit; nothing is taken any more.
        whole: `[DONE]` came: the service has said all.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self.too_large = False
        self.whole = False
        self._longest = largest + len(_FIELD)
        self._line: list[bytes] = []
        self._line_held = 0  # bytes in the unfinished line
        self._data: list[bytes] = []
        self._data_held = 0  # bytes in the data lines of this event
        self._after_cr = False
        self._reports_error = False  # this event, by its name
        self._bare = JsonFramer(largest)
        self._several: JsonFramer | None = None  # cuts an event of several data lines as they come
        self._cut: list[bytes] = []
        self._ends = False  # the last line of this event said that it was all

    @property
    def held(self) -> int:
        """Return how many bytes of a line or an event are here that has not ended."""
        return self._line_held + self._data_held + self._bare.held

    @property
    def _between_events(self) -> bool:
        """Whether nothing of an event has come that has not ended."""
        return not self._data and self._several is None and not self._reports_error

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the frames that are whole now."""
        if self._after_cr and chunk:
            chunk, self._after_cr = chunk.removeprefix(b"\n"), False
        if not chunk or self.too_large:
            return []
        self._after_cr = chunk.endswith(b"\r")
        frames: list[bytes] = []
        lines, at = self._lines(chunk), 0
        plain, last = self._between_events, len(lines) - 1
        while at <= last and not self.too_large:
            line = lines[at]
            if plain and at < last and line.startswith(_OBJECT) and not lines[at + 1] and len(line) <= self._longest:
                frames.append(line[6:])  # nearly every event: one line with an object, and a blank one
                at += 2
                continue
            self._take(line, frames)
            plain = self._between_events
            at += 1
        if self._line_held > self._longest:
            self._give_up()
        return frames

    def close(self) -> list[bytes]:
        """End the input and return an event that lacked only its last line end or blank line."""
        frames: list[bytes] = []
        if self._line:
            self._take(b"".join(self._line), frames)
        return frames + self._whole_objects()

    def _lines(self, chunk: bytes) -> list[bytes]:
        lines = chunk.splitlines()  # on bytes: CR, LF, CRLF only
        ended = chunk[-1] in b"\r\n"
        if self._line:
            self._line.append(lines[0])
            self._line_held += len(lines[0])
            if len(lines) == 1 and not ended:
                return []
            lines[0] = b"".join(self._line)
            self._line.clear()
            self._line_held = 0
        if not ended:
            self._line.append(lines.pop())
            self._line_held = len(self._line[0])
        return lines

    def _give_up(self) -> None:
        self.too_large = True
        self._line.clear()
        self._data.clear()
        self._several, self._cut = None, []

    def _take(self, line: bytes, frames: list[bytes]) -> None:
        if line.startswith(b"data:"):
            self._add(line[6:] if line[5:6] == b" " else line[5:])
            self._data_held += len(line)
        elif not line:
            self._dispatch(frames)
        elif self._bare.open or line.lstrip()[:1] in b"{[":
            frames.extend(self._bare.feed(line + b"\n"))
        elif line.startswith(b"error:"):
            self._data = [_as_error(line[6:].strip())]
        elif line.startswith(b"event:"):
            self._reports_error = line[6:].strip() == b"error"
        if self._data_held > self._longest or len(line) > self._longest or self._bare.too_large:
            self._give_up()

    def _add(self, data: bytes) -> None:
        """Take a data line; several are cut line by line, for all at once would take as long as they are."""
        if not self._data and self._several is None:
            self._data.append(data)
            return
        if self._several is None:
            self._several = JsonFramer()
            self._cut = self._several.feed(self._data.pop())
        self._cut += self._several.feed(b"\n" + data)
        self._ends = data.strip() == DONE

    def _dispatch(self, frames: list[bytes]) -> None:
        self._data_held = 0
        if self._data:
            data = self._data.pop()
            if data and data.strip() == DONE:
                self.whole = True
            elif data:
                frames.append(_as_error(data) if self._reports_error else data)
        else:
            frames.extend(self._whole_objects())
        self._reports_error = False

    def _whole_objects(self) -> list[bytes]:
        """Return the complete objects of several data lines: one event, or events that lost their blank line."""
        if self._data:
            last = self._data.pop()
            self.whole = self.whole or last.strip() == DONE
            objects = JsonFramer().feed(last)
        else:
            self.whole = self.whole or self._ends
            objects, self._cut, self._several = self._cut, [], None
        self._ends = False
        return [_as_error(said) for said in objects] if self._reports_error else objects


def _as_error(said: bytes) -> bytes:
    """Return what is said of an error as an object that has it under the key `error`."""
    try:
        data = json.loads(said)
    except (ValueError, RecursionError):
        data = said.decode("utf-8", "replace")
    if isinstance(data, dict) and (data.get("error") or data.get("type") == "error"):
        return said
    return json.dumps({"error": data if isinstance(data, dict) else {"message": str(data)}}).encode()
