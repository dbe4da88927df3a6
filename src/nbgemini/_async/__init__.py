"""What runs beside the loop, on it, or in a loop inside it: threads, imports, turns taken, waits that would never end."""
