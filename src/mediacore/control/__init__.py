"""Input for a device: the data channel's messages, their way to the picture, and the dialects devices understand."""
