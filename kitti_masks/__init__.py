"""KITTI Masks: pedestrians of KITTI MOTS and MOTSChallenge as sequences of small masks."""
