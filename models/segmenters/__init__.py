"""Segmenters: images and vocabularies in, label maps out."""
