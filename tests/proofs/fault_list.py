# SPDX-License-Identifier: MIT
"""Faults for mutations.py: each is one that a person could make, in a function that is proved."""

from typing import NamedTuple


class Fault(NamedTuple):
    name: str
    unit: str  # Of units.toml.
    function: str  # Whose goals have to notice.
    quick: bool
    fault: str  # What goes wrong.
    text: str
    replacement: str


FAULTS = [
    # ---- base ----
    Fault("addr-within", "base-addr", "addr_within", True, "a sum that wraps",
          "return offset <= limit && size <= limit - offset;",
          "return offset + size <= limit;"),
    Fault("addr-overlap", "base-addr", "phys_range_overlaps", False, "neighbours overlap",
          "return a.first.raw < b.first.raw + b.size_bytes",
          "return a.first.raw <= b.first.raw + b.size_bytes"),
    Fault("reader-bound", "base-reader", "reader_bytes", True,
          "the size is compared with all bytes",
          "size > reader->size - reader->at", "size > reader->size"),
    Fault("reader-sticky", "base-reader", "reader_bytes", False, "a failed reader reads on",
          "if (reader->failed || size", "if (size"),
    Fault("bytes-order", "base-bytes", "bytes_load_le32", False, "halves are swapped",
          "from[0] + from[1] * 256u + from[2] * 65536u",
          "from[1] + from[0] * 256u + from[2] * 65536u"),
    # ---- vtpm ----
    Fault("frame-size-max", "vtpm-frame", "leave_header", True, "a body that is too long is stored",
          "if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {",
          "if (size < TPM_HEADER_BYTES) {"),
    Fault("frame-size-min", "vtpm-frame", "leave_header", False, "a size below the header's",
          "if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {",
          "if (size > TPM_COMMAND_BYTES_MAX) {"),
    Fault("frame-second", "vtpm-frame", "feed_step", False, "a held command is overwritten",
          "case FRAME_COMPLETE: break;", "case FRAME_COMPLETE: used = store_up_to(frame, "
          "TPM_COMMAND_BYTES_MAX, bytes, size); break;"),
    Fault("frame-erase", "vtpm-frame", "begin_header", False, "authorisation values stay",
          "secure_zero(frame->bytes, frame->stored_bytes);", ""),
]
