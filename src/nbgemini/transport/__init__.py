"""A request in, frames out: the only rooms with network I/O."""
