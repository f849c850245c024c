"""Pictures made directly from the sound: a decoder trained on pairs, without a latent space (Moore 2025, section 7)."""
