"""One codec a service: turns in, a request out; frames in, events out. No I/O, no state between streams."""
