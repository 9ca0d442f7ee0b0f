# SPDX-License-Identifier: MIT
"""Guards against what the host hands over at boot: the loader's tables, the bundle, the command
line, programs within the bundle. No item of docs/virtio-threats.md is about them."""

from guard import ONCE, Mutation

START = "boot/start_info.c"
MAP = "boot/memory_map.c"
BUNDLE = "boot/bundle.c"
IMAGE = "boot/kernel_image.c"
PARAMS = "boot/boot_params.c"
WORDS = "virtio/mmio_cmdline.c"
ELF = "kernel/user_elf.c"


def _guard(name, guard, source, text, replacement, tests, quick=False):
    return Mutation(name, "boot", quick, guard, ONCE, source, text, replacement, tests)


def _image(name, guard, text, replacement="if (false) {"):
    return _guard(name, guard, IMAGE, text, replacement,
                  "test_kernel_image test_kernel_image_refuses")


def _bundle(name, guard, text, replacement="if (false) {"):
    return _guard(name, guard, BUNDLE, text, replacement, "test_bundle")


MUTATIONS = [
    # ---- The loader's tables ----
    _guard("start-magic", "a magic number", START, "if (!reader_ok(&reader) || magic != MAGIC) {",
           "if (!reader_ok(&reader)) {", "test_start_info", quick=True),
    _guard("start-version", "a version with a memory map", START, "if (version == 0) {",
           "if (false) {", "test_start_info"),
    _guard("start-entries", "so many entries", START,
           "found.memory_map_entries > START_INFO_MEMORY_ENTRIES_MAX) {", "false) {",
           "test_start_info"),
    _guard("start-module", "a module in the address space", START,
           "if (!reader_ok(&reader) || !phys_range_valid(found)) {",
           "if (!reader_ok(&reader)) {", "test_start_info"),
    _guard("map-range", "entries in the address space", MAP,
           "if (!reader_ok(reader) || (size > 0 && !phys_range_valid(range))) {",
           "if (!reader_ok(reader)) {", "test_memory_map", quick=True),
    _guard("map-room", "so many ranges of RAM", MAP,
           "if (map->count >= BOOT_MEMORY_RANGES_MAX) {", "if (false) {", "test_memory_map"),
    _guard("map-empty", "some RAM", MAP, "if (found.count == 0) {", "if (false) {",
           "test_memory_map"),
    _guard("map-low", "none below the first megabyte", MAP,
           "entry->first > MEMORY_MAP_LOWEST ? entry->first : MEMORY_MAP_LOWEST;",
           "entry->first;", "test_memory_map"),
    _guard("map-place", "nothing is placed over what is in use", MAP,
           "if (phys_range_overlaps(used[i], wanted)) {", "if (false) {", "test_memory_map"),

    # ---- What the first stage tells the kernel ----
    _guard("params-order", "memory in order", PARAMS, "range.first.raw < end) {", "false) {",
           "test_boot_params"),
    _guard("params-overlap", "nothing in use overlaps", PARAMS,
           "if (phys_range_overlaps(used[i], used[j])) {", "if (false) {", "test_boot_params"),
    _guard("params-cmdline", "a command line that ends", PARAMS,
           "if (!is_terminated(params->cmdline, sizeof(params->cmdline))) {", "if (false) {",
           "test_boot_params"),

    # ---- The bundle and the command line ----
    _bundle("bundle-version", "this version", "if (version != VERSION) {"),
    _bundle("bundle-name", "names of allowed characters", "if (!name_is_sound(entry->name)) {"),
    _bundle("bundle-twins", "one entry of a name",
            "if (name_is_taken(bundle, i, entry->name)) {"),
    _bundle("bundle-size", "an entry has a size",
            "if (entry->size_bytes == 0 || entry->size_bytes > BUNDLE_BYTES_MAX) {"),
    _bundle("bundle-place", "entries in their only order",
            "if (entry->offset_bytes != end) {"),
    _bundle("bundle-kernel", "a kernel", "if (bundle->kernel_index == BUNDLE_ENTRIES_MAX) {"),
    _bundle("bundle-end", "nothing behind it", "if (found.size_bytes != size_bytes) {"),
    _bundle("bundle-count", "so many entries",
            "bundle->entry_count > BUNDLE_ENTRIES_MAX || reserved != 0) {", "reserved != 0) {"),
    _bundle("bundle-unused", "zeroes where zeroes belong",
            "if (!bytes_are_zero(bytes + (BUNDLE_MANIFEST_BYTES - left), left)) {"),
    _guard("words-printable", "characters that can be printed", "boot/cmdline.c",
           "if (!is_printable(bytes[length])) {", "if (false) {", "test_cmdline"),
    _guard("words-long", "a command line fits its buffer", "boot/cmdline.c",
           "if (length == limit_bytes || length == BOOT_CMDLINE_BYTES) {",
           "if (length == limit_bytes) {", "test_cmdline", quick=True),
    _guard("window-small", "a window has its registers", WORDS,
           "if (window.size_bytes < VIRTIO_MMIO_WINDOW_BYTES_MIN) {", "if (false) {",
           "test_mmio_cmdline"),
    _guard("window-large", "and is not large", WORDS,
           "if (window.size_bytes > WINDOW_BYTES_MAX) {", "if (false) {", "test_mmio_cmdline"),
    _guard("window-space", "a window lies in the address space", WORDS,
           "if (!phys_range_valid(window)) {", "if (false) {", "test_mmio_cmdline"),
    _guard("window-overlap", "and over no other", WORDS,
           "if (phys_range_overlaps(list->devices[i].window, window)) {", "if (false) {",
           "test_mmio_cmdline", quick=True),
    _guard("window-count", "so many windows", WORDS,
           "if (list->count == MMIO_CMDLINE_DEVICES_MAX) {", "if (false) {",
           "test_mmio_cmdline"),
    _guard("window-number", "numbers of 64 bits", WORDS,
           "if (sum > (UINT64_MAX - digit) / base) {", "if (false) {", "test_mmio_cmdline"),

    # ---- Programs ----
    _image("image-machine", "a PIE for this machine",
           "if (type != ET_DYN || machine != EM_X86_64) {"),
    _image("image-headers", "program headers within the file",
           "!addr_within(table->offset, (uint64_t)table->count * PROGRAM_BYTES, "
           "decoder->file_size)) {", "false) {"),
    _image("image-entry", "the entry point is in the text",
           "if (segment == NULL || !segment->executable) {"),
    _image("image-dynamic", "the dynamic section is within the file",
           "if (!addr_within(decoder->dynamic.offset, decoder->dynamic.file_size, "
           "decoder->file_size)) {"),
    _image("image-stack", "no executable stack", "if ((program->flags & PF_X) != 0) {"),
    _image("image-relocation", "no relocation but one kind",
           "if (info != R_X86_64_RELATIVE) {"),
    _image("image-target", "relocations stay in the kernel",
           "if (addend > image->size_bytes) {"),
    _guard("elf-headers", "program headers within the file", ELF,
           "addr_within(header->headers_offset, (uint64_t)header->header_count * "
           "ELF_SEGMENT_BYTES, size_bytes);", "true;", "test_user_elf", quick=True),
    _guard("elf-file", "a segment within the file", ELF,
           "addr_within(header->offset, header->file_bytes, file_size) &&", "", "test_user_elf"),
    _guard("elf-space", "and within the user's address space", ELF,
           "addr_within(header->address, header->memory_bytes, USER_ELF_ADDRESS_MAX) &&", "",
           "test_user_elf"),
    _guard("elf-wx", "no page that is writable and executable", ELF,
           "(header->flags & (PF_WRITE | PF_EXECUTE)) != (PF_WRITE | PF_EXECUTE);", "true;",
           "test_user_elf"),
    _guard("elf-order", "segments share no page", ELF, "|| first < elf->end ||", "||",
           "test_user_elf"),
    _guard("elf-entry", "the entry point is in the text", ELF,
           "if (!entry_is_executable(&found)) {", "if (false) {", "test_user_elf"),
]
