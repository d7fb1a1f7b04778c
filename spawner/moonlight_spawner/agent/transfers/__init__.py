"""Files between the user's computer and his folders: what goes where, and how it is asked for.

:mod:`.service` answers below ``/files/`` of the gateway; uploads are those of tus 1.0 (tus.io), whatever
streaming host there is.
"""
