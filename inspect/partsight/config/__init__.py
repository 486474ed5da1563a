"""What a site writes: TOML, validated by pydantic; every mistake is found before any device opens."""
