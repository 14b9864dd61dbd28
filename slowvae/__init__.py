"""SlowVAE: training, disentanglement metrics and the end-to-end check of a dataset."""
