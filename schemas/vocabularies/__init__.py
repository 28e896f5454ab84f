"""Vocabularies shipped as data files; see :func:`maskmill.schemas.vocabulary.load_vocabulary`."""
