"""What the programs that made the shipped image spaces share: smooth fields, and fitting a StyleGAN3 to a renderer of them."""
