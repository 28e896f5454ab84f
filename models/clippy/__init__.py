"""CLIPpy (Ranasinghe et al. 2023): towers whose patch tokens lie in the space of texts, pooling, grouping."""
