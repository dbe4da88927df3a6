"""What a cell's prompt takes from the notebook: names, cells, errors, pictures, files."""
