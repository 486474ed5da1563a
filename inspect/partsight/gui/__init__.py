"""The operator's screen (PySide6): a client of the API and nothing else."""
