"""A generator fitted to pictures that a renderer computes: the trainable network, its fast operator, losses and steps."""
