"""The memory that connections read into: all connections of a worker use the same, one after the other."""

BUFFER = memoryview(bytearray(64 * 1024))

# Where the next request could begin, no more is read at once: what stands behind a request waits in memory until the
# client has read its answer.
HEAD_BYTES = 16 * 1024
HEAD_BUFFER = BUFFER[:HEAD_BYTES]

# While a request waits for its answer, enough to learn that its client is gone: the rest stays with the kernel.
BEHIND_BUFFER = BUFFER[:1024]

# What a client sends behind the last answer, which is forgotten.
DISCARDED = memoryview(bytearray(256 * 1024))
