"""Data files: the words by which each family of protocols asks for a dataset's classes; see
:func:`..vocabulary.load_vocabulary`.
"""
