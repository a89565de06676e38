"""What TensorFlow Serving's protocol is made of, for the client and for the server."""
