"""Student segmentation networks."""
