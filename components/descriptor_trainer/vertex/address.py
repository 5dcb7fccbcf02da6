"""Where runs and training jobs lie on Vertex AI. Imports no client."""

from __future__ import annotations

from dataclasses import dataclass

_CONSOLE = "https://console.cloud.google.com/vertex-ai"


@dataclass(frozen=True)
class Address:
    """A project and a region.

    Attributes:
        project: Id or number.
        location: Region.
    """

    project: str
    location: str

    @property
    def parent(self) -> str:
        """Name of the collection that jobs and runs are in."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def in_words(self) -> str:
        """For messages."""
        return f"project {self.project}, {self.location}"

    @property
    def jobs_page(self) -> str:
        """Page of all training jobs in Google Cloud's console."""
        return f"{_CONSOLE}/training/custom-jobs?project={self.project}"

    def page(self, name: str, kind: str = "training") -> str:
        """Returns the page of a training job, or of a run (`pipelines/runs`), by its last name."""
        last = name.rpartition("/")[2]
        return f"{_CONSOLE}/locations/{self.location}/{kind}/{last}?project={self.project}"
