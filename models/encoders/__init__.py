"""Image and text encoders over open_clip."""
