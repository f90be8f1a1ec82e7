"""Components of the team's own."""
