"""One file a command. Heavy imports stay inside the bodies, so that `--help` loads none of them."""
