"""Variants of a detector, each trained and judged with several seeds, and what differs for sure."""
