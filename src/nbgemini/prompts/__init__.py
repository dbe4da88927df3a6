"""What a prompt is made of: placeholders, values as text, tables, images, files; and secrets that must not leave. Pure."""
