"""The command `train`, on pictures that its test encrypts."""
