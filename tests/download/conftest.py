from file_server import server  # noqa: F401
