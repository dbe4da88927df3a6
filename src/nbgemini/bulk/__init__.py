"""One prompt for each of many rows: at once (`map`), or as a batch within a day (`batch`)."""
