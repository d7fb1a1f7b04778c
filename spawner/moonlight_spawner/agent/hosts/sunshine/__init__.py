"""Sunshine, the GameStream host, with moonlight-web-stream for the browser."""

from .host import SunshineHost

__all__ = ["SunshineHost"]
