"""Exchange with the FluCoMa Toolkit: its JSON files, a preset written as such files, and a preset made of them."""
