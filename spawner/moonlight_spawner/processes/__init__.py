"""Starting programs, telling them from others, and ending them; for the agent and the local batch system."""
