"""How kernels and front ends differ, and what is done to each: waiting cells, interrupts, routes of outputs, loops."""
