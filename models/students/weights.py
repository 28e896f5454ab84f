"""Students on disk: one safetensors file that holds the specification in its metadata."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError

from ...schemas.errors import WeightsError
from .student import Student, StudentSpec

_KEY = "maskmill_student"


@dataclass(frozen=True)
class SavedStudent:
    """A student and the sha256 of its file."""

    student: Student
    sha256: str

    @property
    def id(self) -> str:
        """``student:NAME@`` and 12 hex digits of the sha256; stored with results."""
        return student_id(self.student.spec.name, self.sha256)


def student_id(name: str, sha256: str) -> str:
    return f"student:{name}@{sha256[:12]}"


def save_student(student: Student, path: Path) -> str:
    """Write weights and specification and return the file's sha256; equal students give equal bytes."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in student.state_dict().items()}
    body = safetensors.torch.save(tensors, {_KEY: student.spec.model_dump_json()})
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(body)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return hashlib.sha256(body).hexdigest()


def load_student(path: str | Path, device: torch.device | None = None) -> SavedStudent:
    """Load a student in evaluation mode.

    Raises:
        WeightsError: the file is missing, damaged, or holds no student of this version of maskmill.
    """
    try:
        body = Path(path).read_bytes()
        tensors = safetensors.torch.load(body)
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as err:
        raise WeightsError(f"student {str(path)!r} cannot be read: {err}") from err
    if _KEY not in metadata:
        raise WeightsError(
            f"{str(path)!r} holds no student: `maskmill train` writes one as student.safetensors"
        )
    try:
        student = Student(StudentSpec.model_validate_json(metadata[_KEY]))
        student.load_state_dict(tensors)
    except (ValidationError, RuntimeError) as err:
        raise WeightsError(f"student {str(path)!r} does not fit this version of maskmill: {err}") from err
    return SavedStudent(student.to(device or torch.device("cpu")).eval(), hashlib.sha256(body).hexdigest())
