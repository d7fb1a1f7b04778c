"""The definitions of the images, and the command that builds them."""
