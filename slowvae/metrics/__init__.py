"""Disentanglement metrics on plain arrays of latents and factors."""
