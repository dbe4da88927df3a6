"""A day in a kernel, in minutes: `make soak`."""
