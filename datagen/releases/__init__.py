"""Published releases: a registry, downloads, checksums, cards."""
