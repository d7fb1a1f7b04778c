"""The rules that need no server and no job: what may be asked, what is remembered, what is said."""
