"""Detectors to artefacts that run elsewhere, checked before anyone sees them."""
