"""What can be wrong with the settings."""


class SettingsError(Exception):
    """The settings cannot be used. The message says which file, line and key, and the remedy."""
