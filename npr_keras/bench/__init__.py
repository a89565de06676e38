"""Speed, measured against the same network written plainly in PyTorch."""
