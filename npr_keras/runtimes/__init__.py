"""Predictors: anything that scores images behind one small interface, a file a format.

A predictor has `predict(images)`, from uint8 (B, H, W, 3) to float32 logits (B,); `preprocessing`,
the protocol its images are made by; `profile`, what is known about it (a `ModelProfile`); and
`identity`, what tells it from all others. `open_predictor` makes one of whatever a user names.
"""
