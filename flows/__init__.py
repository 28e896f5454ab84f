"""Prefect flows and the ``maskmill`` command line."""
