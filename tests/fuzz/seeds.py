#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write well-formed inputs for the fuzz targets: where a new corpus starts.

    seeds.py FOLDER         writes FOLDER/<target>/seed-*

The corpora in the repository grew from these (run_fuzz.py grow) and replace them.
"""

import os
import struct
import sys

BLOCK = 4096
PAGE = 4096


def entry(physical, session=1, counter=1, tag=b"\x07" * 16):
    return struct.pack("<QII", physical, session, counter) + tag


def superblock_body(groups=1):
    first = 260
    body = struct.pack("<QQIIQ", 6, 4, 256, groups, first)
    body += struct.pack("<IIQ", 3, 2, 9) + b"\x11" * 16 + b"\x22" * 32
    body += entry(first + 4) + entry(first + 5)
    body += b"\x33" * 32 + struct.pack("<IIQ", 1, 3, 2) + b"\x44" * 32
    body += bytes(8 + 32 + 4 + 4 + 8)
    body = body.ljust(320, b"\0")
    for group in range(groups):
        body += entry(first + group * 32768 + group % 2)
    return body.ljust(1024, b"\0")


def superblock_header(version=1, profile=1):
    return (b"HOLDFAST" + struct.pack("<II", version, 0) + b"\x55" * 16 +
            struct.pack("<QII", 2048, profile, 1) + b"\x66" * 32 + bytes(16) + b"\x77" * 16)


def volume_superblock():
    yield b"\x02" + superblock_header()
    yield b"\x02" + superblock_header(version=2)
    yield b"\x03" + struct.pack("<I", 2048) + superblock_body()
    yield b"\x03" + struct.pack("<I", 100000) + superblock_body(3)
    block = bytearray(superblock_body())  # A block device: where allocation goes on, what is free.
    block[832:848] = struct.pack("<QQ", 300, 3000)
    yield b"\x07" + struct.pack("<I", 4096) + bytes(block)
    yield b"\x07" + struct.pack("<I", 0xfffffff0) + bytes(block)


def keyslot(kind, iterations=0):
    return (struct.pack("<IIII", kind, 1, iterations, 0) + b"\x01" * 32 + b"\x02" * 32 +
            b"\x03" * 32 + b"\x04" * 16).ljust(256, b"\0")


def keyslots(*slots):
    area = (b"HOLDKEYS" + struct.pack("<II", 1, 8) + b"\x55" * 16 +
            struct.pack("<QQ", 2048, 2)).ljust(128, b"\0")
    return area + b"".join(slots)


def volume_keyslots():
    yield b"\x01" + keyslots(keyslot(1))
    yield b"\x01" + keyslots(keyslot(2, 210000), bytes(256), keyslot(3))


def change(logical, kind, offset, data):
    return struct.pack("<IHH", logical, kind << 12 | offset, len(data)) + data


def volume_record():
    yield b"\x00" + struct.pack("<IHHIQ", 0x524c4648, 1, 2, 1, 5) + b"\x01" * 48
    changes = (change(3, 1, 0, b"hello"), change(3, 0, 100, b"x" * 20), change(9, 2, 0, b""))
    yield (b"\x01\x00" + struct.pack("<IHHQQQ", 2, 3, len(changes), 6, 10, 9) + b"\x01" * 32 +
           b"".join(changes))
    # Of a block device: two neighbours out of line, a hole, and no COMMIT.
    extent = struct.pack("<QI", 1100, 5) + b"\x0a" * 32
    changes = (change(3, 3, 0, extent), change(9, 2, 0, b""))
    yield (b"\x01\x92" + struct.pack("<IHHQQQ", 2, 2, len(changes), 6, 10, 4) + b"\x01" * 32 +
           b"".join(changes))
    yield b"\x02\x00" + struct.pack("<IH", 7, 40) + b"a" * 40 + struct.pack("<HBHB", 3, 1, 90, 2)
    yield b"\x02\x01" + struct.pack("<IH", 7, 40) + b"a" * 40 + struct.pack("<HBHB", 3, 1, 90, 2)


def volume_node():
    yield struct.pack("<I", 2048) + entry(300) + entry(0, 0, 0, bytes(16)) + entry(301)
    yield struct.pack("<I", 40000) + entry(261) + entry(1 << 40)
    for blocks in (4096, 1 << 18, 1 << 32, (1 << 31) + 16 * 32768):
        yield struct.pack("<I", 1 << 31 | blocks >> 4) + entry(270)


def volume_table():
    yield struct.pack("<I", 2).ljust(16, b"\0") + b"".join(
        struct.pack("<III", number, 1, 5) + b"\x09" * 32 for number in (1, 2))


def store_format():
    names = (b"vtpm0.permall", b"", b"a")
    entries = b"".join(bytes([len(name)]) + bytes(7) + name.ljust(48, b"\0") for name in names)
    yield (b"\x00\x40" + b"HFINDEX\0" + struct.pack("<IIQ", 1, 2, 5) + bytes(40) + entries)
    yield b"\x00\x40"
    yield (b"\x01" + struct.pack("<I", 1 << 20) + b"HFOBJECT" + struct.pack("<II", 1, 5) +
           b"hello".ljust(48, b"\0") + struct.pack("<QQ", 77, 3))
    yield b"\x02name-of.an_Object9"


def boot_bundle():
    sizes = ((b"kernel", 5000), (b"vtpmd", 4096), (b"symbols.txt", 1))
    at, entries = PAGE, b""
    for name, size in sizes:
        entries += name.ljust(32, b"\0") + struct.pack("<QQ", at, size) + b"\x08" * 32 + bytes(16)
        at += (size + PAGE - 1) // PAGE * PAGE
    yield (b"\x01" + bytes(4) + b"HFBUNDLE" + struct.pack("<IIQQ", 1, len(sizes), at, 0) + entries)
    yield b"\x02" + struct.pack("<I", 100) + b"HFBUNDLE"


def boot_start_info():
    yield (b"\x00" + struct.pack("<IIIIQQQQII", 0x336ec578, 1, 0, 1, 0x7000, 0x8000, 0, 0x9000, 3,
                                 0))
    yield b"\x01" + struct.pack("<QQQQ", 0x400000, 0x12345, 0, 0)
    table = ((0, 0x9fc00, 1), (0x9fc00, 0x400, 2), (0x100000, 0x3f00000, 1),
             (0x200800, 0x1800, 2), (0x100000000, 0x40000000, 1))
    places = struct.pack("<HBBQ", 3, 12, 0, 1 << 40) * 4
    yield b"\x02" + bytes([len(table)]) + places + b"".join(
        struct.pack("<QQII", first, size, kind, 0) for first, size, kind in table)


def program(kind, flags, offset, address, file_size, memory_size, align=PAGE):
    return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, file_size, memory_size,
                       align)


def elf(kind, programs, body, entry_at):
    header = (b"\x7fELF\x02\x01\x01" + bytes(9) +
              struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, entry_at, 64, 0, 0, 64, 56,
                          len(programs), 0, 0, 0))
    return (header + b"".join(programs)).ljust(512, b"\0") + body


def boot_kernel_image():
    rela = struct.pack("<QQQ", 0x2008, 8, 0x1000) + struct.pack("<QQQ", 0x2010, 8, 0x2000)
    dynamic = b"".join(struct.pack("<QQ", tag, value) for tag, value in (
        (7, 0x200), (8, len(rela)), (9, 24), (30, 0), (0x6ffffff9, 2), (0, 0)))
    body = rela + dynamic
    programs = [
        program(1, 4, 0, 0, 512 + len(body), 512 + len(body)),
        program(1, 5, 0, 0x1000, 64, 64),
        program(1, 6, 512 + len(rela), 0x2000, len(dynamic), 0x1800),
        program(2, 6, 512 + len(rela), 0x2000, len(dynamic), len(dynamic), 8),
        program(0x6474e552, 4, 512 + len(rela), 0x2000, len(dynamic), 0x1000, 1),
        program(0x6474e551, 6, 0, 0, 0, 0, 16),
    ]
    yield elf(3, programs, body, 0x1010)
    yield elf(3, programs, body.replace(struct.pack("<Q", 0x2010), struct.pack("<Q", 0x1010), 1),
              0x1010)


def kernel_user_elf():
    programs = [program(1, 4, 0, 0x400000, 600, 600), program(1, 5, 0, 0x401000, 512, 512),
                program(1, 6, 512, 0x402010, 88, 0x1000), program(4, 4, 512, 0, 16, 16)]
    yield elf(2, programs, b"\x01" * 88, 0x401040)
    yield elf(3, programs[1:], b"\x01" * 88, 0x401040)


def boot_cmdline():
    yield b"holdfast.state=ephemeral  holdfast.slide=fixed a=b c virtio_mmio.device=512@0xfe:5\0"
    yield b"x" * 3000
    yield b"a\x01\0"


def boot_params():
    # Pages: one range of RAM from 1 to 200, then the used ranges one after the other.
    ranges = bytes((1, 199, 10, 5, 20, 5, 30, 5, 40, 5, 50, 3, 60, 1))
    yield b"\x01\x01\x02" + ranges + b"holdfast.log=debug\0"
    yield b"\x01\x02\x01" + bytes((1, 20, 30, 60, 1, 5, 8, 2, 31, 4, 40, 1, 45, 9)) + b"a\0"
    yield b"\x02"


def kernel_options():
    yield (b"\x00holdfast.state=ephemeral holdfast.on_failure=exit holdfast.log=debug "
           b"holdfast.slide=fixed holdfast.run=module:argument holdfast.vtpmd.crash_on=0x17b "
           b"holdfast.panic=check quiet virtio_mmio.device=512@0xfeb00e00:12")
    yield b"\x01holdfast.state=require holdfast.on_failure=serve holdfast.log=error"
    yield b"\x01holdfast.run=x"
    yield b"\x00holdfast.log=notice holdfast.log=warning holdfast.unknown=" + b"z" * 80


def kernel_symbols():
    yield (struct.pack("<Q", 0x2010) + b"0000000000001000 T first\n0000000000002000 t second\n"
           b"0000000000002008 d data\n00000000000030ff T third\n                 U out\n")


def kernel_user_stack():
    yield (struct.pack("<IBQQ", 0x7fff0, 3, 0x400040, 0x401000) + b"\x5c" * 16 +
           b"vtpmd\0--ephemeral\0--crash-on=0x17b\0")
    yield struct.pack("<IBQQ", 1, 2, 0, 0) + b"\x5c" * 16 + b"a" * 3700 + b"\0" + b"b" * 20
    # Nearly, and just, no room for the vectors.
    for size in range(3790, 3900, 8):
        yield struct.pack("<IBQQ", 1, 2, 0, 0) + b"\x5c" * 16 + b"a" * size + b"\0" + b"b" * 20
    yield struct.pack("<IBQQ", 1, 20, 0, 0)


def pci_capability(next_at, kind, offset, size=0x1000, more=b""):
    return (bytes([9, next_at, 16 + len(more), kind, 4, 0, 0, 0]) +
            struct.pack("<II", offset, size) + more)


def virtio_pci():
    header = struct.pack("<HHHH", 0x1af4, 0x1042, 7, 0x10) + bytes(8)
    header += struct.pack("<6I", 0, 0xfe000000, 0, 0, 0xfe00400c, 0) + bytes(12)
    header = (header + b"\x40").ljust(64, b"\0")
    lists = (pci_capability(0x50, 1, 0) + pci_capability(0x64, 2, 0x3000, more=b"\4\0\0\0") +
             pci_capability(0x74, 3, 0x1000) + pci_capability(0x84, 4, 0x2000) +
             struct.pack("<BBHII", 0x11, 0, 2, 1, 0x801))
    bits = bytes([32, 12, 32, 32, 14, 32]) + b"\x02\0\0\0" + b"\xff" * 4
    yield (header + lists).ljust(256, b"\0") + bits
    bridge = bytearray(header + lists)
    bridge[14] = 1
    yield bytes(bridge).ljust(256, b"\0") + bits
    unplaced = bytearray(header + lists)
    unplaced[0x14:0x28] = struct.pack("<5I", 0, 0, 0, 12, 0)
    yield bytes(unplaced).ljust(256, b"\0") + bits + bytes(200)


def virtio_mmio_cmdline():
    yield b"quiet virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=4K@4275044352 x"
    yield b"virtio_mmio.device=512@0x0:1 virtio_mmio.device=512@0x100:1"
    yield b" ".join(b"virtio_mmio.device=512@%#x" % (0x1000 * number) for number in range(34))


def vtpm_response():
    yield b"\x01\x80\x01\0\0\0\0\0\0\x01\x01"
    yield b"\x00\x80\x02\0\0\0\x0c\0\0\0\0ab"
    yield b"\x00\x00\xc4\0\0\0\x0a\0\0\0\x1e"


def vtpm_frame():
    command, raw, feed, wait, poll, release, generation = range(7)
    yield (bytes((command, 20, 0, 5, feed, 3, 0, feed, 200, 0, release, command, 0, 0, 1, feed, 9,
                  0, feed, 9, 0, release)))
    yield (bytes((raw, 12)) + b"\x80\x01\0\0\0\x05\0\0\0\0xy" +
           bytes((feed, 20, 0, wait, 0x10, 0x27, poll, wait, 0x11, 0x27, poll, command, 4, 0, 7,
                  feed, 20, 0)))
    # Quiet for exactly as long as it takes, and for a microsecond less.
    for quiet_us in (19999, 20000):
        yield (bytes((raw, 12)) + b"\x80\x01\0\0\0\x05\0\0\0\0xy" + bytes((feed, 20, 0, wait)) +
               struct.pack("<H", quiet_us) + bytes((poll, command, 4, 0, 7, feed, 20, 0)))
    yield bytes((command, 0, 8, 9, feed, 100, 0, generation, 1, command, 4, 0, 9, feed, 255, 19))


def vtpm_tpm_control():
    def request(command, body=b"", version=1, instance=0):
        return struct.pack(">HBBHHIHH", 0x4843, version, command, instance, 0, 7, len(body),
                           0) + body

    def piece(data, how=0):
        return bytes((len(data), how)) + data

    for command in range(1, 13):
        yield (piece(request(command)) + piece(request(command, b"\1")) +
               piece(request(13, bytes(4))))
    status = b"\1\0\1\0" + bytes(12)
    yield piece(request(10, status)) + piece(request(10, bytes(40)))
    yield piece(request(10, b"\1\1\0\0\4\0")) + piece(request(10, bytes(12)))
    yield piece(request(1, version=3)) + piece(request(2, instance=1)) + piece(b"status\n")
    yield piece(request(6, b"\2")[:9], 3) + piece(request(2)) + piece(request(6, b"\2"), 1)


def bridge_wire():
    for command in range(0, 22):
        yield b"\0" + struct.pack(">I", command)
        yield b"\0" + struct.pack(">II", command, 0) + bytes(16)
        for mode in b"\1\2":
            yield bytes((mode,)) + struct.pack(">I", command)
    yield b"\0" + struct.pack(">II", 7, 3) + b"abc"
    yield b"\1" + struct.pack(">II", 6, 3) + b"abc"
    yield b"\1" + struct.pack(">IBI", 8, 2, 12) + b"\x80\1\0\0\0\x0c\0\0\1\x7b\0\x08"
    yield b"\1" + struct.pack(">II", 15, 1)


def volume_image():
    for mode in (0, 1, 2, 3, 13, 15, 16, 17, 18, 19, 29, 31):
        for state in range(9):
            yield bytes((mode, state))
    # Edits: kind, block, operand. An older superblock; a planted byte in it; a torn record.
    yield bytes((0, 7, 2, 0, 0, 3, 0))
    yield bytes((15, 6, 1, 0, 0, 120, 0)) + b"\x05" + bytes(7)
    yield bytes((2, 7, 4, 9, 0, 5, 0, 3))
    # Each block in use, as if it were a record that says it is longer.
    for block in range(320):
        yield bytes((1, 8, 0)) + struct.pack("<HHB", block, 6, 0x30)
    # A bit of each block of a block device, in the clear and as a host sees it; older versions.
    for block in range(0, 360, 3):
        yield bytes((17, 8, 0)) + struct.pack("<HHB", block, 4 + 37 * block % 300, 0x11)
        yield bytes((18, 7, 2)) + struct.pack("<HH", block, block % 8)


def virtio_queue():
    program = bytes((20, 0, 3, 1, 0, 0, 2, 0, 0, 2, 3, 1, 1, 0, 1, 1, 0, 4, 1, 3, 1))
    yield b"\4" + program
    for features in range(16, 28):  # Behind PCI, with each kind of queue.
        yield bytes((4 + 9 * features,)) + program


def virtio_blk():
    program = bytes((1, 3, 2, 0, 3, 2, 2, 3, 4, 0, 1, 0xff, 1, 2, 0xff, 5, 0, 3, 1, 2))
    # In place: two blocks to page 1, written to blocks 9 and 10 from there, read by a copy.
    write_in_place = bytes((6, 9, 0x81, 1, 1, 7, 9, 0, 9, 1))
    read_in_place = bytes((6, 3, 0x80, 1, 2, 7, 9))
    for transport in (0, 4):
        for queues in (0, 0x04, 0x33, 0x3f, 0x8b):
            configuration = bytes(5) + bytes((transport, queues))
            for words in (program, read_in_place, write_in_place,
                          write_in_place[:6] + read_in_place, read_in_place * 3 + bytes((5,)),
                          bytes((6, 3, 0x80, 1, 0xf2)), bytes((6, 3, 0x80, 1, 0xf8))):
                yield configuration + bytes((len(words),)) + words


def virtio_serial():
    client_opens, port_opens, sends, polls, reads = 4, 8, 6, 0, 1
    talk = bytes((client_opens, port_opens, polls, reads, 255, sends, 9, 11, 0, polls, reads, 255,
                  reads, 255, 11, 0, polls, reads, 255))
    for choice in (0, *range(0xe0, 0x100)):
        yield bytes((choice, len(talk))) + talk
    yield bytes((0, 40, 4, 8, 0, 6, 4, 11, 0, 0, 1, 255, 2, 5, 0, 11, 1, 0, 2, 255, 0, 5, 0, 4, 0,
                 1, 9, 6, 2, 11, 0, 1, 200, 3))


def virtio_rng():
    for choice in range(128):
        yield bytes((choice, 3, 64, 255, 0))


def witness_text():
    rows = [f"{number:032x} {number} {10 ** number} {number * 7:064x}\n" for number in (1, 2, 19)]
    for count in range(4):
        text = "holdfast-witness 1\n" + "".join(rows[:count]) + f"end {count}\n"
        yield text.encode()
    yield b"holdfast-witness 2\n"


def swtpm_state():
    def entry(tag, content):
        return struct.pack(">HI", tag, len(content)) + content

    def file(version, least, flags, body):
        return b"\1" + struct.pack(">BBHHI", version, least, 10, flags, 0) + body
    yield file(2, 1, 0, entry(1, b"state"))
    yield file(2, 1, 0, entry(9, b"x") + entry(1, b"state") + entry(2, b""))
    yield file(2, 1, 0, entry(1, b"state") * 2)
    yield file(1, 1, 0, b"state")
    yield file(2, 1, 9, entry(2, b"sealed") + entry(3, b"hmac"))
    yield file(3, 3, 0, entry(1, b"state"))


def provision_public():
    yield b"\1" + bytes(56) + b"\x01\x00" + bytes(range(256))
    yield b"\2" + bytes(70) + (b"\x00\x30" + bytes(range(48))) * 2
    yield b"\1" + bytes(56) + b"\x00\xff" + bytes(255)
    yield b"\2" + bytes(70) + b"\x00\x30" + bytes(48)


TARGETS = (volume_superblock, volume_keyslots, volume_record, volume_node, volume_table,
           store_format, boot_bundle, boot_start_info, boot_kernel_image, kernel_user_elf,
           boot_cmdline, boot_params, kernel_options, kernel_symbols, kernel_user_stack,
           virtio_mmio_cmdline, virtio_pci, vtpm_response, vtpm_frame, vtpm_tpm_control,
           volume_image, virtio_queue, virtio_blk, virtio_serial, virtio_rng, witness_text,
           swtpm_state, provision_public, bridge_wire)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for target in TARGETS:
        folder = os.path.join(sys.argv[1], target.__name__)
        os.makedirs(folder, exist_ok=True)
        for number, data in enumerate(target()):
            with open(os.path.join(folder, f"seed-{number}"), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
