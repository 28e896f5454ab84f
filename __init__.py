"""maskmill: captioned image corpora in, versioned and queryable catalogs of segmentation pseudo-masks out.

The command line is ``maskmill --help``; the same steps are functions in :mod:`maskmill.flows`.
"""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("maskmill")
__all__ = ["__version__"]
