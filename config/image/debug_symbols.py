"""Debug symbols, which wheels contain: uvloop's library has 16 MB with them, and 1.6 MB without.

The base image has no `strip`. What it would remove follows the segments that the dynamic loader maps, together with the
section table, which the loader does not read.
"""

import struct
from pathlib import Path

ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")


def strip(library: Path) -> None:
    """Cut off a shared library after the last byte that is mapped into memory; leave other files unchanged."""
    data = library.read_bytes()
    if not data.startswith(ELF_64_LITTLE_ENDIAN):
        return
    identity, *fields = HEADER.unpack_from(data)
    kind, machine, version, entry, segments_at, _, flags, header_size, segment_size, count, *_ = fields
    segments = [SEGMENT.unpack_from(data, segments_at + index * segment_size) for index in range(count)]
    end = max(offset + size for _, _, offset, _, _, size, _, _ in segments)
    header = HEADER.pack(
        identity, kind, machine, version, entry, segments_at, 0, flags, header_size, segment_size, count, 0, 0, 0
    )
    library.write_bytes(header + data[HEADER.size : end])
