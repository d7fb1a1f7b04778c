"""What a session takes of its node: a display, ports, directories, memory; and gives back."""
