"""Zero-guidance segmentation (Rewatbowornwong et al. 2023): segments and words that nobody asked for."""
