"""Whole sessions on this machine: real X servers, desktops and streams, of ordinary users."""
