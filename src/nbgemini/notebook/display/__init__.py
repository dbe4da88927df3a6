"""What stands below a cell: segments, tool calls, the status line, on pages with and without widgets."""
