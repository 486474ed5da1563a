"""The challenge test: known parts through the line, step by step; its reports; and BYPASS."""
