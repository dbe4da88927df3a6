"""Everything that knows IPython: magics, jobs on the kernel's loop, displays."""
