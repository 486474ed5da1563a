"""Model bundles: a folder with a card and files whose hashes the card holds."""
