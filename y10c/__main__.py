"""`python -m y10c`."""

from __future__ import annotations

import sys

from y10c.cli.main import main

sys.exit(main())
