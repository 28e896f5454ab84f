"""Readers of captioned image corpora."""
