"""`python -m fishplate.testing.simulation`; see `program`."""

import sys

from fishplate.testing.simulation.program import main

if __name__ == "__main__":  # and not when somebody imports every module there is
    sys.exit(main(sys.argv[1:], sys.stdout))
