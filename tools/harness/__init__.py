# SPDX-License-Identifier: MIT
"""What ./run and the tests share: building, booting a VM, talking to its TPM and control port."""
