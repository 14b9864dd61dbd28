"""Statistics of transitions: moments, fits, intervals, and (apart) their pictures."""
