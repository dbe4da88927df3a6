"""What travels: turns, events, segments, tool calls, citations, media, and why an answer ended; pure."""
