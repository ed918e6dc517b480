"""`python -m fishplate` is the command `fishplate`."""

import sys

from fishplate.cli import main

if __name__ == "__main__":  # and not when somebody imports every module there is
    sys.exit(main())
