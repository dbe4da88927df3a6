"""Python functions as tools: declared from their signature, asked for approval, run in a thread or on the loop."""

from nbgemini.tools.decorator import Tool, ToolResult, answer, canonical, declare, run, tool

__all__ = ["Tool", "ToolResult", "answer", "canonical", "declare", "run", "tool"]
