#!/usr/bin/env python3
"""Client and server in Python, through ctypes: signs for a target and verifies what it signed.

    token_binding.py https://example.com/ [KEY-TYPE-NUMBER]
"""

import ctypes
import os
import sys
from ctypes import POINTER, byref, c_int, c_char_p, c_uint32, c_void_p

PROVIDED, UNDEFINED, ECDSAP256 = 0, 0, 2


class ResultData(ctypes.Structure):
    _fields_ = [
        ("bindingType", c_int),
        ("identifierSize", c_uint32),
        ("identifierData", c_void_p),
        ("extensionFormat", c_int),
        ("extensionSize", c_uint32),
        ("extensionData", c_void_p),
    ]


class ResultList(ctypes.Structure):
    _fields_ = [("resultCount", c_uint32), ("resultData", POINTER(ResultData))]


library = ctypes.CDLL("libtokenbinding.so.0")
library.TokenBindingGetLastErrorText.restype = c_char_p
libc = ctypes.CDLL(None)
libc.free.argtypes = [c_void_p]


def check(status):
    if status != 0:
        text = library.TokenBindingGetLastErrorText().decode()
        raise OSError(f"0x{status & 0xFFFFFFFF:08X}: {text}")


def taken(memory, size):
    """Copies what the library has allocated, and frees it."""
    try:
        return ctypes.string_at(memory, size.value)
    finally:
        libc.free(memory)


def generate_message(target, key_type, ekm):
    binding, size = c_void_p(), c_uint32()
    utf16 = ctypes.create_string_buffer(target.encode("utf-16-le") + b"\0\0")
    check(library.TokenBindingGenerateBinding(
        key_type, utf16, PROVIDED, ekm, c_uint32(len(ekm)), UNDEFINED, None,
        byref(binding), byref(size), None))
    binding = taken(binding, size)
    message, size = c_void_p(), c_uint32()
    check(library.TokenBindingGenerateMessage(
        (c_char_p * 1)(binding), (c_uint32 * 1)(len(binding)), 1, byref(message), byref(size)))
    return taken(message, size)


def verify_message(message, key_type, ekm):
    results = POINTER(ResultList)()
    check(library.TokenBindingVerifyMessage(
        message, c_uint32(len(message)), key_type, ekm, c_uint32(len(ekm)), byref(results)))
    try:
        data = results.contents.resultData[:results.contents.resultCount]
        return [(r.bindingType, ctypes.string_at(r.identifierData, r.identifierSize)) for r in data]
    finally:
        libc.free(results)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: token_binding.py TARGET [KEY-TYPE-NUMBER]")
    key_type = int(sys.argv[2]) if len(sys.argv) == 3 else ECDSAP256
    ekm = os.urandom(32)  # in earnest: what the TLS connection exports
    message = generate_message(sys.argv[1], key_type, ekm)
    for binding_type, identifier in verify_message(message, key_type, ekm):
        print(binding_type, identifier.hex())


if __name__ == "__main__":
    main()
