"""Small weights that ship with the package: the demo CLIP and its objectness head."""
