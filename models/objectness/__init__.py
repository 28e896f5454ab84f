"""Objectness: which pixels belong to things (FOUND and its training-free form)."""
