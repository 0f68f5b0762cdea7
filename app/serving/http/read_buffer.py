"""The buffers that connections read into: all connections of a worker share them, one after another."""

BUFFER = memoryview(bytearray(64 * 1024))

# Where the next request could begin, no more than this is read at once: the bytes after a request stay in memory until
# the client has read its response.
HEAD_BYTES = 16 * 1024
HEAD_BUFFER = BUFFER[:HEAD_BYTES]

# While a request waits for its response, this is enough to notice that its client is gone. The kernel keeps the rest.
BEHIND_BUFFER = BUFFER[:1024]

# What a client sends after the last response is discarded.
DISCARDED = memoryview(bytearray(256 * 1024))
