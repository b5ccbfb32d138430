"""The command line: one file a command, thin layers over the Python API; nothing heavy at import."""
