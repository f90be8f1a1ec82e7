"""What the project costs, measured against an alternative in the same run: `python -m benchmarks [name…]`."""
