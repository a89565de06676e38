"""A small generator lab: photographs go through networks whose last layers up-sample."""
