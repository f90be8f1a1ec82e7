"""A stand-in for TikTok, YouTube and Instagram: posts that follow from their URL and the seed, with real clips."""
