"""Pictures among what a tool returned: they go beside the answer, as many as fit."""

from __future__ import annotations

import base64
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.events import Media
from nbgemini.pictures import figure_of, picture_of

MEDIA_BYTES = 4 * 1024 * 1024  # of pictures in one result; a request holds 20 MB in all
GALLERY = 64  # a longer list is data, not a row of pictures


class Gallery:
    """The pictures of one result, as many as fit."""

    def __init__(self) -> None:
        """Begin empty."""
        self.media: list[Media] = []
        self._room = MEDIA_BYTES

    def hang_all(self, value: Any) -> Any:
        """Return `value` with words in place of each picture, itself or one floor down."""
        if figure_of(value) is not None:
            return self._hang(value)  # the axes of one figure are one picture
        if type(value) is dict and len(value) <= GALLERY:
            hung: Any = {key: self._hang(item) for key, item in value.items()}
            return hung if any(hung[key] is not value[key] for key in value) else value
        if type(value) in {list, tuple} and len(value) <= GALLERY:
            hung = [self._hang(item) for item in value]
            return hung if any(new is not old for new, old in zip(hung, value, strict=True)) else value
        return self._hang(value)

    def _hang(self, value: Any) -> Any:
        try:
            found = picture_of(value)
        except PromptError as error:
            return str(error)
        except Exception:  # noqa: BLE001 - what can't be drawn is told in words
            found = None
        if found is None:
            return _unsent(value) if isinstance(value, Media) else value
        mime, data = found
        if len(data) > self._room:
            return f"a picture ({mime}, {len(data):,} bytes), too large to send"
        self._room -= len(data)
        self.media.append(Media(mime, base64.b64encode(data).decode()))
        return f"picture {len(self.media)} ({mime}), attached"


def _unsent(media: Media) -> str:
    return f"media ({media.mime}, {len(media.data) * 3 // 4:,} bytes), which can't be sent"
