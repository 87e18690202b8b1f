"""Sums over bytes (LANGUAGE.md, section 15), bit by bit as their definitions have them."""


def _reflected(data, polynomial, width, start):
    """A CRC whose bits come lowest first; the polynomial as it is usually written, highest bit first."""
    mirrored = int(format(polynomial, "0%db" % width)[::-1], 2)
    register = start
    for byte in data:
        for place in range(8):
            out = (register ^ (byte >> place)) & 1
            register >>= 1
            if out:
                register ^= mirrored
    return register


def crc32c(data):
    """CRC-32C (Castagnoli)."""
    return _reflected(data, 0x1EDC6F41, 32, 0xFFFFFFFF) ^ 0xFFFFFFFF


def crc16(data):
    """CRC-16/ARC."""
    return _reflected(data, 0x8005, 16, 0)


def inet16(data):
    """RFC 1071: the complement of the sum, in ones' complement, of words of 16 bits."""
    total = 0
    for start in range(0, len(data), 2):
        total += int.from_bytes(data[start:start + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def sum8(data):
    """The sum of all bytes, modulo 256."""
    return sum(data) % 256


SUMS = {"crc32c": (crc32c, 32), "crc16": (crc16, 16), "inet16": (inet16, 16), "sum8": (sum8, 8)}


def around(name, data, start, size):
    """The sum as if the bytes of its own field were zeros."""
    return SUMS[name][0](data[:start] + bytes(size) + data[start + size:])
