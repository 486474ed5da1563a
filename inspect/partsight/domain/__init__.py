"""What flows through partsight, and its ports: standard library and numpy only."""
