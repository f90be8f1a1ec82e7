"""One typed settings model, read from one YAML file and the environment.

The file is found by `--config`, else `VISUALSEARCH_CONFIG`, else `visualsearch.yaml` in the working directory. Relative
paths in it are relative to the file. `VISUALSEARCH_BASE_URL` overrides `api.base_url`. The API key comes from
`VISUALSEARCH_API_KEY` alone: it is not part of the model, so that nothing that prints or stores settings can leak it.
"""

from visualsearch_pipeline.settings.errors import SettingsError
from visualsearch_pipeline.settings.loading import (
    BASE_URL_VARIABLE,
    CONFIG_VARIABLE,
    DEFAULT_FILE_NAME,
    LEDGER_URL_VARIABLE,
    complete_settings,
    find_settings_file,
    load_settings,
)
from visualsearch_pipeline.settings.model import Settings
from visualsearch_pipeline.settings.secrets import (
    API_KEY_VARIABLE,
    WEBHOOK_SECRET_VARIABLE,
    read_api_key,
    read_callback_url,
    read_webhook_secret,
)
from visualsearch_pipeline.settings.sections import (
    AlertSettings,
    ApiSettings,
    ArchiveSettings,
    BudgetSettings,
    IndexingSettings,
    PriceSettings,
    RetentionSettings,
    ScopeSettings,
    SourceSettings,
    TimeoutSettings,
    WebhookSettings,
)
from visualsearch_pipeline.settings.values import LIMITED_OPERATIONS, RateSetting

__all__ = [
    "API_KEY_VARIABLE",
    "BASE_URL_VARIABLE",
    "CONFIG_VARIABLE",
    "DEFAULT_FILE_NAME",
    "LEDGER_URL_VARIABLE",
    "LIMITED_OPERATIONS",
    "WEBHOOK_SECRET_VARIABLE",
    "AlertSettings",
    "ApiSettings",
    "ArchiveSettings",
    "BudgetSettings",
    "IndexingSettings",
    "PriceSettings",
    "RateSetting",
    "RetentionSettings",
    "ScopeSettings",
    "Settings",
    "SettingsError",
    "SourceSettings",
    "TimeoutSettings",
    "WebhookSettings",
    "complete_settings",
    "find_settings_file",
    "load_settings",
    "read_api_key",
    "read_callback_url",
    "read_webhook_secret",
]
