"""Images to scores and verdicts: the loop, and what goes through it."""
