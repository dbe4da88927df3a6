"""Python functions and MCP servers as tools: declared from their signatures, asked for approval, run beside the loop."""
