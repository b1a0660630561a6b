#!/usr/bin/env python3
"""A second verifier of Token Binding messages, which the Rust one is held against.

Written from RFC 8471 §3 and §4.2, RFC 8473 §2 and RFC 4648 §5, with pyca/cryptography for the signatures and
without a look at the Rust one. Where the RFCs leave it open, both follow these decisions:

- every length is exact, no byte is left over, a message has 1 to 16 bindings;
- an RSA modulus has exactly 2048 bits and is odd, an exponent e is odd with 3 <= e < 2^33, and neither has a
  leading zero byte; a point has 64 bytes and lies on the curve; signatures have 64 or 256 bytes;
- a binding of unknown type with known parameters must have a good signature, and is reported;
- a binding with unknown parameters is skipped, unless it is provided;
- by default exactly one binding is provided and at most one referred; the policy `protocol` counts neither;
- a header value has no padding, no white space and no bits beyond its last byte.

Reads a case a line, tab-separated: negotiated key parameters, policy, EKM in hex, header value in hex.
Writes a line for each: `reject: why`, or `accept` and for each verified binding `type:id`, both in hex.
"""

import re
import string
import sys
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

RSA_PKCS1, RSA_PSS, P256 = 0, 1, 2
PROVIDED, REFERRED = 0, 1

# FIPS 186-4, D.1.2.3.
FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
CURVE_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


class Rejected(Exception):
    pass


def demand(condition, why):
    if not condition:
        raise Rejected(why)


def base64url(text):
    """RFC 4648 §5 as one long binary number: no padding, and the bits beyond the last byte zero."""
    demand(re.fullmatch("[A-Za-z0-9_-]*", text), "alphabet")
    bits = "".join(format(ALPHABET.index(character), "06b") for character in text)
    whole, beyond = len(bits) // 8 * 8, len(bits) % 8
    demand(beyond < 6, "a lone last character")
    demand("1" not in bits[whole:], "trailing bits")
    return int("1" + bits[:whole], 2).to_bytes(whole // 8 + 1, "big")[1:]


def vector(data, prefix):
    """Cuts `opaque x<..2^(8·prefix)-1>` off the front: its content and what follows."""
    demand(len(data) >= prefix, "no room for a length")
    end = prefix + int.from_bytes(data[:prefix], "big")
    demand(len(data) >= end, "a length beyond the end")
    return data[prefix:end], data[end:]


def only(pair, why):
    content, rest = pair
    demand(rest == b"", why)
    return content


def octet(data):
    demand(data, "no octet left")
    return data[0], data[1:]


def p256_key(body):
    point = only(vector(body, 1), "bytes after the point")
    demand(len(point) == 64, "point length")
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    demand(x < FIELD and y < FIELD, "a coordinate outside the field")
    demand((y * y - x * x * x + 3 * x - CURVE_B) % FIELD == 0, "off the curve")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def rsa_key(body):
    modulus, rest = vector(body, 2)
    exponent = only(vector(rest, 1), "bytes after the exponent")
    demand(modulus and exponent, "an empty number")
    demand(modulus[0] != 0 and exponent[0] != 0, "a leading zero")
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    demand(n.bit_length() == 2048, "modulus size")
    demand(n % 2 == 1 and e % 2 == 1, "an even number")
    demand(3 <= e < 2**33, "exponent range")
    return rsa.RSAPublicNumbers(e, n).public_key()


@lru_cache(maxsize=None)
def key(parameters, body):
    return p256_key(body) if parameters == P256 else rsa_key(body)


def extensions(block):
    while block:
        _, rest = octet(block)
        _, block = vector(rest, 2)


def token_binding(data):
    """One `TokenBinding` and what follows it."""
    kind, rest = octet(data)
    start = rest
    parameters, rest = octet(rest)
    body, rest = vector(rest, 2)
    identifier = start[: len(start) - len(rest)]
    signature, rest = vector(rest, 2)
    block, rest = vector(rest, 2)
    extensions(block)
    if parameters in (RSA_PKCS1, RSA_PSS, P256):
        public_key = key(parameters, body)
        demand(len(signature) == (64 if parameters == P256 else 256), "signature length")
    else:
        public_key = None
        demand(len(signature) >= 64, "signature length")
    return (kind, parameters, identifier, public_key, signature), rest


def token_binding_message(message):
    data = only(vector(message, 2), "bytes after the message")
    bindings = []
    while data:
        binding, data = token_binding(data)
        bindings.append(binding)
    demand(1 <= len(bindings) <= 16, "number of bindings")
    return bindings


def check_signature(parameters, public_key, signature, data):
    try:
        if parameters == P256:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            public_key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
        elif parameters == RSA_PSS:
            scheme = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)
            public_key.verify(signature, data, scheme, SHA256())
        else:
            public_key.verify(signature, data, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        raise Rejected("signature") from None


def verify(negotiated, policy, ekm, header):
    demand(len(ekm) == 32, "EKM length")
    bindings = token_binding_message(base64url(header))
    kinds = [binding[0] for binding in bindings]
    if policy == "default":
        demand(kinds.count(PROVIDED) == 1, "number of provided bindings")
        demand(kinds.count(REFERRED) <= 1, "number of referred bindings")
    verified = []
    for kind, parameters, identifier, public_key, signature in bindings:
        demand(kind != PROVIDED or parameters == negotiated, "not negotiated")
        if public_key is not None:
            check_signature(parameters, public_key, signature, bytes([kind, parameters]) + ekm)
            verified.append((kind, identifier))
    return verified


def main():
    for line in sys.stdin:
        negotiated, policy, ekm, header = line.rstrip("\n").split("\t")
        try:
            header = bytes.fromhex(header).decode()
            verified = verify(int(negotiated), policy, bytes.fromhex(ekm), header)
            ids = (f" {kind:02x}:{identifier.hex()}" for kind, identifier in verified)
            print("accept" + "".join(ids))
        except Rejected as why:
            print(f"reject: {why}")


if __name__ == "__main__":
    main()
