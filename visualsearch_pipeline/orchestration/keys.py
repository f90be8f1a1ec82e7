"""The names of the assets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import dagster as dg

GROUP: Final = "visual_search"
"""The group of all assets in the UI."""


@dataclass(frozen=True)
class AssetKeys:
    """The keys of all assets under one prefix, so that several pipelines can live in one project."""

    prefix: tuple[str, ...] = ()

    def key(self, *path: str) -> dg.AssetKey:
        """The key of an asset of this pipeline."""
        return dg.AssetKey([*self.prefix, *path])

    @property
    def source(self) -> dg.AssetKey:
        """The footage, outside of Dagster."""
        return self.key("source")

    @property
    def library(self) -> dg.AssetKey:
        """The service's library, outside of Dagster."""
        return self.key("library")

    @property
    def media(self) -> dg.AssetKey:
        """Found, probed and hashed files."""
        return self.key("media")

    @property
    def uploads(self) -> dg.AssetKey:
        """Contents sent."""
        return self.key("uploads")

    @property
    def imports(self) -> dg.AssetKey:
        """What is imported from social platforms."""
        return self.key("imports")

    @property
    def videos(self) -> dg.AssetKey:
        """Library entries and their state."""
        return self.key("videos")

    @property
    def images(self) -> dg.AssetKey:
        """Private images sent."""
        return self.key("images")

    @property
    def transcripts(self) -> dg.AssetKey:
        """What is said."""
        return self.key("transcripts")

    @property
    def captions(self) -> dg.AssetKey:
        """What is seen, in the service's words."""
        return self.key("captions")

    @property
    def report(self) -> dg.AssetKey:
        """The page for people who look."""
        return self.key("report")

    @property
    def archive(self) -> dg.AssetKey:
        """Originals and keyframes kept."""
        return self.key("archive")

    @property
    def warehouse(self) -> dg.AssetKey:
        """The published tables."""
        return self.key("warehouse")

    @property
    def resource(self) -> str:
        """The key of the API's resource, which differs between pipelines as their scopes do."""
        return self.name("visual_search")

    def name(self, name: str) -> str:
        """The name of something that is no asset: a sensor, a schedule, a job, the resource."""
        return "_".join([*self.prefix, name])

    def pool(self, name: str) -> str:
        """The name of a pool, so that pipelines do not wait for each other."""
        return self.name(f"visual_search_{name}")

    def hits(self, query_set: str) -> dg.AssetKey:
        """The hits of one query set."""
        return self.key("hits", query_set)
