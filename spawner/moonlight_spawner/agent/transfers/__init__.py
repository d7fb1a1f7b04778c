"""Files between the user's computer and his folders: what goes where, and how it is asked for.

:mod:`.service` answers below ``/files/`` of the gateway, :mod:`.uploads` and :mod:`.downloads` in their
parts of it, whatever streaming host there is.
"""
