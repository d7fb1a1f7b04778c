"""``moonlight-hpc doctor``: looks at an installation and says what to do about what is wrong."""

from .examine import examine, examine_node
from .finding import Finding
from .portal import examine_portal

__all__ = ["Finding", "examine", "examine_node", "examine_portal"]
