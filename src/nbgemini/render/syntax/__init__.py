"""The Markdown that models write, beyond CommonMark: inline, blocks, definitions, mathematics."""
