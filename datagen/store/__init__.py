"""Dataset files: npz, HDF5 and the release's pickle behind one face."""
