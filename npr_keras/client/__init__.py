"""A client of TensorFlow Serving and of `npr-keras serve`; needs neither TensorFlow nor Keras."""
