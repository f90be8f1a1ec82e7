"""Real clips made on the spot, so that everything can be tried without anybody's footage."""
