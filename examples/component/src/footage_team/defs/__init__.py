"""One folder per instance."""
