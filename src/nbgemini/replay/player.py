"""Which recording answers which request: the nth equal request gets the nth recording, and the last one repeats.

A recording that its reader stopped, or that broke off, answers only where there is no other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from nbgemini.replay.cassette import Recording
from nbgemini.replay.diff import difference, likeness, summarize
from nbgemini.transport.request import Request

_MOST_COMPARED = 500  # recordings


class Player:
    """The recordings of a cassette, and how far they have been played."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        """Play from the beginning."""
        self._recordings = recordings
        self._answers: dict[str, list[Recording]] = defaultdict(list)
        self._asked: Counter[str] = Counter()
        for recording in recordings:
            self._answers[recording.request].append(recording)
        for key, answers in self._answers.items():
            self._answers[key] = [answer for answer in answers if answer.end in ("complete", "error")] or answers

    def __len__(self) -> int:
        """Count the recordings."""
        return len(self._recordings)

    def next(self, key: str) -> Recording | None:
        """Return the recording that answers the request with this key now, or None."""
        answers = self._answers.get(key)
        if not answers:
            return None
        number, self._asked[key] = self._asked[key], self._asked[key] + 1
        return answers[min(number, len(answers) - 1)]

    def explain_miss(self, request: Request) -> str:
        """Return in words which recording is nearest to a request, and how they differ."""
        if not self._recordings:
            return "nothing is recorded there"
        asked = summarize(request)
        nearest = max(self._recordings[-_MOST_COMPARED:], key=lambda recording: likeness(recording.asked, asked))
        return f"nearest (- recorded, + asked): {difference(nearest.asked, asked)}"
