"""Bytes to coefficients to pixels, and back. Knows no keys."""
