"""Tools of MCP servers: the process, its pipes, and what it says, made harmless."""
