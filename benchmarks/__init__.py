# SPDX-License-Identifier: MIT
"""./bench: Holdfast's storage and TPM against what a user would run otherwise, in one run."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, "benchmarks")
# Every module here takes what ./run and ./test use, rather than its own: tools/harness.
sys.path.insert(0, os.path.join(ROOT, "tools"))
