"""Open OnDemand's door: its app is ``ood_app/``, written in Ruby; here is what that asks for.

:mod:`.install` puts the app in place, :mod:`.check` looks at a portal, and :mod:`.wait` runs in the job.
"""
