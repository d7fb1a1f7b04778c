"""What was found wrong or right, as a terminal or a program reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..doctor import Finding


def tell_findings(findings: Sequence[Finding], as_json: bool) -> int:
    """Print them; gives the exit status: 0 if nothing is wrong."""
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    for finding in findings if not as_json else ():
        print(f"{finding.mark} {finding.name}: {finding.text}")
        if finding.fix and (finding.odd or not finding.good):
            print(f"    → {finding.fix}")
    return 0 if all(finding.good for finding in findings) else 1
