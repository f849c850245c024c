"""How near generated images are to real ones, by measures that need no network trained elsewhere."""
