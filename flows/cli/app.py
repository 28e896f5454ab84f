"""The ``maskmill`` application: its name, its exit codes and how errors reach a person."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from cyclopts import App

from ... import __version__
from ...schemas.errors import MaskmillError

EPILOGUE = """
Exit codes: 0 done, 1 unexpected failure, 2 wrong flag, configuration or vocabulary, 3 corpus missing or
unreadable, 4 catalog or version missing or damaged, 5 weights missing or damaged, 6 a stage gave up,
130 interrupted.

Start with `maskmill demo --out demo`, or `maskmill doctor` to see what this machine has.
"""

app = App(
    name="maskmill",
    version=__version__,
    help="Turn captioned image corpora into queryable catalogs of segmentation pseudo-masks.",
    help_epilogue=EPILOGUE,
    help_format="markdown",
    suppress_keyboard_interrupt=False,  # `run` has something to say about it
)

# Prefect and Ray read these when they are imported; a value that the user has set stays.
ENVIRONMENT = {
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}

_NO_SERVER = (
    "the Prefect server that a flow brings for itself did not start; PREFECT_HOME (by default ~/.prefect) "
    "must be a folder that can be written to. Or set PREFECT_API_URL to a server that runs"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    if "PREFECT_LOGGING_LEVEL" not in os.environ:
        _keep_run_logs_off_the_console()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from . import (  # noqa: F401  (importing registers the commands)
        commands_catalog,
        commands_exchange,
        commands_probe,
        commands_read,
        commands_run,
        commands_segment,
    )

    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def _keep_run_logs_off_the_console() -> None:
    """What goes wrong in a flow is raised again and printed by `run`; the server still gets the logs."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).propagate = False


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; expected errors are one line on stderr.

    Raises:
        SystemExit: code 2, a flag or an argument is wrong.
    """
    try:
        code = app(arguments, result_action="return_value", exit_on_error=True)
        sys.stdout.flush()
    except MaskmillError as err:
        print(f"maskmill: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        print("maskmill: interrupted; committed work is kept, run the same command to go on", file=sys.stderr)
        return 130
    except RuntimeError as err:
        if "ephemeral Prefect API server" not in str(err):
            raise
        print(f"maskmill: {_NO_SERVER}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever reads has seen enough, e.g. `head`; the interpreter must not stumble over it at exit again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as err:
        if not err.filename or not err.strerror:
            raise  # without a file and a reason only the traceback says what happened
        print(f"maskmill: {err.filename}: {err.strerror}", file=sys.stderr)
        return 1
    return code if isinstance(code, int) else 0
