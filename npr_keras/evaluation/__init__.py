"""Metrics, and judging a predictor on labelled images."""
