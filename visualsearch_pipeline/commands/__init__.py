"""What the commands about money and agreement do behind their options, and how they show it."""
