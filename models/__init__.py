"""Encoders, objectness, segmenters and students in pure torch."""
