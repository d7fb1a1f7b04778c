"""What an admin decides: the settings, this machine, the images, and what a request may ask for."""
