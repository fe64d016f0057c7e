"""Ways to reach a device: each takes a job there and brings its result back."""
