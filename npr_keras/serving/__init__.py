"""Serving: the embedded server, and a client that needs neither TensorFlow nor Keras."""

__all__ = ["Client", "Server", "ServerSettings"]


def __getattr__(name):
    if name == "Client":
        from npr_keras.serving.client import Client

        return Client
    if name in ("Server", "ServerSettings"):
        from npr_keras.serving import server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
