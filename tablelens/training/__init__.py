"""Make the encoders."""
