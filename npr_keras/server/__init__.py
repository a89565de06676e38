"""The embedded server: TensorFlow Serving's protocol for exported models."""
