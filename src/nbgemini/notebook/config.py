"""What `%config Gemini` lists: every setting of the notebook, as traitlets."""

from __future__ import annotations

from traitlets import Bool, CaselessStrEnum, Float, Int, Unicode, Union
from traitlets.config import Configurable


class Gemini(Configurable):
    """Settings of %%gemini; an empty one leaves the choice to the environment or the service."""

    model = Unicode("", help="Model for new prompts; empty: gemini-flash-latest.").tag(config=True)
    chat = Unicode("main", help="Conversation a cell belongs to unless it says -c.").tag(config=True)
    think = Unicode("", help="off, low, medium, high or a token budget; empty: the model's own default.").tag(config=True)
    system = Unicode("", help="System instruction of new chats.").tag(config=True)
    approve = CaselessStrEnum(
        ["ask", "auto", "never"], default_value="ask", help="May tools run? ask: buttons on the card. auto: unasked. never: no."
    ).tag(config=True)
    wait = Union(
        [Bool(), CaselessStrEnum(["auto"])],
        default_value="auto",
        help="True: a cell waits for its answer. False: it returns at once. auto: it waits where no one sits.",
    ).tag(config=True)
    widgets = Bool(default_value=True, help="Stream through widgets. False: plain HTML that is repainted now and then.").tag(
        config=True
    )
    live = Bool(default_value=True, help="False: show an answer only once it is whole, for consoles that can't update it.").tag(
        config=True
    )
    updates_per_second = Float(10.0, help="How often one stream repaints at most.").tag(config=True)
    connect_timeout = Float(10.0, help="Seconds to wait for a connection.").tag(config=True)
    write_timeout = Float(60.0, help="Seconds for the service to take the next piece of a request.").tag(config=True)
    first_timeout = Float(120.0, help="Seconds to wait for the first byte of an answer.").tag(config=True)
    gap_timeout = Float(120.0, help="Seconds without any data after which a stream counts as broken.").tag(config=True)
    content_timeout = Float(300.0, help="Seconds with signs of life but no content after which it does too.").tag(config=True)
    retries = Int(2, min=0, help="How often a request is sent again after trouble that passes; 0: never.").tag(config=True)
    max_streams = Int(1000, min=1, help="Streams open at once; more of them wait in line.").tag(config=True)
    allow_secrets = Bool(default_value=False, help="True: send prompts that hold what looks like a key.").tag(config=True)
    journal = Unicode(
        "auto",
        help="File that keeps what was asked and came. auto: nbgemini/journal.sqlite3 in Jupyter's data directory. off: none.",
    ).tag(config=True)
