"""The pipeline as a Dagster component, for those who add it to a project of their own.

It is a thin shell over `build_visual_search_defs`: the same settings, the same assets. An instance is a folder with a
`defs.yaml`:

    type: visualsearch_pipeline.VisualSearchComponent
    attributes:
      settings: visualsearch.yaml
      prefix: footage
      translation: {owners: ["team:media"]}
"""

# Annotations are not deferred in this module: Dagster reads those of its components.

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import dagster as dg
from dagster.components.resolved.core_models import AssetsDefUpdateKwargs
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import ConfigDict, Field

from visualsearch_pipeline.orchestration.build import build_visual_search_defs
from visualsearch_pipeline.orchestration.scaffolding import VisualSearchScaffolder
from visualsearch_pipeline.orchestration.steps import StepEvent
from visualsearch_pipeline.settings import Settings, complete_settings, load_settings

_SETTINGS: Final = (
    "Either the path of a settings file, relative to this folder, which the command line can use too; or the settings "
    "themselves, with the keys of that file. Relative paths in it are relative to this folder."
)
_PREFIX: Final = "Put before every asset key, and before the names of sensors, schedules, jobs, pools and the resource."
_TRANSLATION: Final = (
    "Attributes that every asset gets, such as `group_name`, `owners` or `tags`; tags and metadata are merged with "
    "what is there. In templates, `spec` is the asset's own spec."
)

_OwnModel = Annotated[Settings, Field(title="Settings")]
"""Annotated, so that Dagster takes the model as it is instead of asking that each of its fields be resolvable."""

_Translation = Annotated[
    TranslationFn[None], TranslationFnResolver[None](lambda _: {}, model_field_type=AssetsDefUpdateKwargs.model())
]


def _rendered_settings(context: dg.ResolutionContext, written: Settings | str) -> Settings | str:
    """The settings with the templates in them filled in, such as `{{ context.project_root }}/state`."""
    if isinstance(written, str):
        return written
    return Settings.model_validate(context.resolve_value(written.model_dump(mode="json", exclude_unset=True)))


@dg.scaffold_with(VisualSearchScaffolder)
class VisualSearchComponent(dg.Component, dg.Resolvable, dg.Model):
    """Footage in a folder or bucket, made searchable and asked saved queries every day: assets, sensors and schedules.

    Several instances live side by side in one project if each has a `prefix` of its own. The API key is read from
    `VISUALSEARCH_API_KEY` when a run starts; the code location's executor stays the project's own choice.

    To change what a setting cannot, override `get_asset_spec` or `execute` in a subclass.

    Example:
        >>> import dagster as dg
        >>> class Footage(VisualSearchComponent):
        ...     def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        ...         return super().get_asset_spec(spec).replace_attributes(group_name="footage")
        >>> defs = dg.component_defs(component=Footage(settings=Settings(queries=Path("no-queries-yet"))))
        >>> {spec.group_name for spec in defs.resolve_all_asset_specs()}
        {'footage'}
    """

    model_config = ConfigDict(frozen=True)

    settings: Annotated[_OwnModel | str, dg.Resolver(_rendered_settings, model_field_type=Settings | str)] = Field(
        description=_SETTINGS
    )
    prefix: Annotated[str | list[str], dg.Resolver.default(description=_PREFIX)] = Field([])
    translation: Annotated[_Translation | None, dg.Resolver.default(description=_TRANSLATION)] = None

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What `dg list components` and the UI say of this component."""
        return dg.ComponentTypeSpec(
            description=(cls.__doc__ or "").partition("\n")[0],
            tags=["video", "search"],
            produces=["asset", "asset_check", "sensor", "schedule", "job", "resource"],
        )

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        """The spec of one asset. Override to change its group, owners, tags, description and so on.

        Its key, partitions and automation are what the sensors and schedules rely on; use `prefix` to rename assets.

        Args:
            spec: what the pipeline would give the asset.
        """
        return self.translation(spec, None) if self.translation else spec

    def execute(
        self,
        context: dg.AssetExecutionContext,  # noqa: ARG002  is for those who override
        step: Iterator[StepEvent],
    ) -> Iterator[StepEvent]:
        """Run one step of one run. Override to do something before, after or instead of it.

        Args:
            context: of the step; `context.asset_key` says which asset's.
            step: nothing is done before it is iterated over. Its events are what Dagster is to record: pass them on, or
                changed ones in their place.
        """
        yield from step

    def load_settings(self, folder: Path) -> Settings:
        """The settings of this instance, with absolute paths and the environment's overrides.

        Args:
            folder: where the instance is defined.

        Raises:
            SettingsError: the file is missing or wrong; the message names file, line and key.
        """
        if isinstance(self.settings, str):
            return load_settings(folder / self.settings)
        return complete_settings(self.settings, base=folder)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions of this instance. Touches no network and opens no database.

        Raises:
            SettingsError: see `load_settings`.
        """
        folder = context.path if context.path.is_dir() else context.path.parent
        return build_visual_search_defs(
            self.load_settings(folder),
            prefix=[self.prefix] if isinstance(self.prefix, str) else self.prefix,
            get_asset_spec=self.get_asset_spec,
            execute=self.execute,
            # Which executor a code location has is for its owner to say; two instances could not both.
            executor=None,
        )
