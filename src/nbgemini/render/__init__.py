"""A segment as a static, sanitised mimebundle; pure."""
