"""What runs on the node, inside the job. It meets the rest only through the session's directory
and the gateway's HTTP.

``guardian`` is the job's process: it survives everything and ends everything.
``run`` is the start, the supervision and the ordered end of one session.
"""
