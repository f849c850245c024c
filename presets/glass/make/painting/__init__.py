"""Pictures of glass, computed: smooth fields of plane waves, and the optics that make shards, caustics and filaments of them."""
