"""`python -m faults`."""

from __future__ import annotations

import sys

from faults.driver import main

sys.exit(main())
