"""Where in an image the evidence sits."""
