"""A client of the Visual Search HTTP API, usable alone."""
