"""Photographs and the last stages of generators to pairs that differ in nothing but their trace."""
