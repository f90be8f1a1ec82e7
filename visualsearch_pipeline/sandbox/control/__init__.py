"""Telling the sandbox what to do, and asking it what happened."""
