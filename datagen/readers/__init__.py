"""Readers of annotation formats, one a module."""
