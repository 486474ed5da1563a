"""The faults page: what happened, since when, what to do; acknowledge; what was over when."""
