"""StyleGAN3 training: networks, losses, augmentation and the loop, written from the papers' formulas."""
