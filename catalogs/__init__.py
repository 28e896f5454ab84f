"""Corpora in, catalogs out: readers, the store, SQL views, trainer datasets and the report."""
