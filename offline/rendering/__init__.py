"""A sound or a recorded show to a film: options, material (ticks), the flow constraint (relaxation), hashes, joining."""
