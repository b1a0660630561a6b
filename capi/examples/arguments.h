/*
 * What the examples share: hexadecimal EKMs, UTF-16 targets, key types by their RFC names, and the
 * base64url of Sec-Token-Binding.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdio.h>
#include <string.h>

#include <tokenbinding.h>

static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Reads 64 hexadecimal digits. Returns 0 for anything else. */
static inline int read_ekm(const char *hex, BYTE ekm[32])
{
    static const char digits[] = "0123456789abcdef";
    size_t i;
    if (strlen(hex) != 64)
        return 0;
    for (i = 0; i < 64; i++) {
        const char *digit = strchr(digits, hex[i]);
        if (digit == NULL)
            return 0;
        ekm[i / 2] = (BYTE)(ekm[i / 2] << 4 | (digit - digits));
    }
    return 1;
}

/* Widens an ASCII target. Returns NULL for others, and where there is no memory. */
static inline char16_t *read_target(const char *ascii)
{
    size_t i, length = strlen(ascii);
    char16_t *target = (char16_t *)calloc(length + 1, sizeof *target);
    for (i = 0; target != NULL && i < length; i++) {
        if ((unsigned char)ascii[i] > 0x7f) {
            free(target);
            return NULL;
        }
        target[i] = (char16_t)ascii[i];
    }
    return target;
}

/* Returns 0 for a name that is none of the three. */
static inline int read_key_type(const char *name, TOKENBINDING_KEY_PARAMETERS_TYPE *keyType)
{
    if (strcmp(name, "ecdsap256") == 0)
        *keyType = TOKENBINDING_KEY_PARAMETERS_TYPE_ECDSAP256;
    else if (strcmp(name, "rsa2048_pss") == 0)
        *keyType = TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PSS;
    else if (strcmp(name, "rsa2048_pkcs1.5") == 0)
        *keyType = TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PKCS;
    else
        return 0;
    return 1;
}

static inline void print_base64url(const BYTE *bytes, size_t size)
{
    size_t i, j;
    for (i = 0; i < size; i += 3) {
        size_t left = size - i < 3 ? size - i : 3;
        unsigned group = (unsigned)bytes[i] << 16;
        if (left > 1)
            group |= (unsigned)bytes[i + 1] << 8;
        if (left > 2)
            group |= bytes[i + 2];
        for (j = 0; j <= left; j++)
            putchar(BASE64URL[group >> (18 - 6 * j) & 0x3f]);
    }
}

/* Decodes in strict base64url. Returns the number of bytes, or 0 for anything else. */
static inline size_t read_base64url(const char *text, BYTE *bytes, size_t capacity)
{
    size_t size = 0;
    unsigned group = 0, bits = 0;
    for (; *text != '\0'; text++) {
        const char *digit = strchr(BASE64URL, *text);
        if (digit == NULL)
            return 0;
        group = group << 6 | (unsigned)(digit - BASE64URL);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (size == capacity)
                return 0;
            bytes[size++] = (BYTE)(group >> bits);
            group &= (1u << bits) - 1;
        }
    }
    return bits < 6 && group == 0 ? size : 0;
}

/* Tells why a function failed. Returns what main should return. */
static inline int report(const char *function, SECURITY_STATUS status)
{
    fprintf(stderr, "%s: 0x%08X: %s\n", function, (unsigned)status, TokenBindingGetLastErrorText());
    return 1;
}

#endif
