"""What runs on the display: the desktop, in an image or on the node, with its sound and its GPU."""
