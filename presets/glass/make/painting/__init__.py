"""A renderer of glass: smooth fields of plane waves, and optics that turn them into shards, caustics and threads of light."""
