"""Natural Sprites: sprites that move with the transitions measured in natural video."""
