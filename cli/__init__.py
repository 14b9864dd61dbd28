"""The `datagen` command: one command a file, each a thin composition of the packages."""
