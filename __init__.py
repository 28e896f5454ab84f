"""maskmill: captioned image corpora in, versioned and queryable catalogs of segmentation pseudo-masks out.

The command line is ``maskmill --help``; the same steps are functions in :mod:`maskmill.flows`.
`connect` opens a catalog in DuckDB.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogs.query import connect

__version__ = version("maskmill")
__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    # Importing maskmill loads no library; reading a catalog loads DuckDB.
    if name == "connect":
        from .catalogs.query import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
