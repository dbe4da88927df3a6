"""Files of ours on disk: private from the first byte, whole or not there; SQLite that many processes share."""
