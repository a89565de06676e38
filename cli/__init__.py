"""The command line of npr-keras: the only place that knows click and rich."""
