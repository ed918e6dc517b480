"""`python -m fishplate.testing.simulation`; see `program`."""

import sys

from fishplate.testing.simulation.program import main

sys.exit(main(sys.argv[1:], sys.stdout))
