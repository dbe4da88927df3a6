"""Python functions as tools: declared from their signature, asked for approval, run in a thread or on the loop."""

from nbgemini.tools.decorator import Tool, ToolResult, canonical, declare, run, text_result, tool

__all__ = ["Tool", "ToolResult", "canonical", "declare", "run", "text_result", "tool"]
