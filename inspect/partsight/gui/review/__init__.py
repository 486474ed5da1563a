"""The review: parts that wait for a person, judged by one key each, with boxes drawn and corrected."""
