/*
 * The names that Windows gives to the types and status codes of tokenbinding.h.
 *
 * Programs that have them already keep their own: from a Windows-like header that is recognised
 * here, or by defining TOKENBINDING_NO_WINDOWS_TYPES before they include tokenbinding.h. Its
 * declarations use the types of C itself, so they do not depend on these names. Constants are
 * defined one by one where they are missing.
 */
#ifndef TOKENBINDING_TYPES_H
#define TOKENBINDING_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifndef __cplusplus
#include <uchar.h>
#endif

/* MinGW and Wine, FreeRDP's WinPR, PC/SC lite, unixODBC. */
#if defined(_WINDEF_) || defined(_MINWINDEF_) || defined(WINPR_WTYPES_H) \
    || defined(__wintypes_h__) || defined(__SQLTYPES_H)
#ifndef TOKENBINDING_NO_WINDOWS_TYPES
#define TOKENBINDING_NO_WINDOWS_TYPES
#endif
#endif

#ifndef TOKENBINDING_NO_WINDOWS_TYPES

typedef uint8_t BYTE;
typedef uint32_t DWORD;
typedef void *PVOID;
typedef const char16_t *PCWSTR; /* UTF-16, as in u"https://example.com/" */
typedef int32_t SECURITY_STATUS;
typedef int32_t HRESULT;
typedef int BOOL;
typedef void *HANDLE;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef SUCCEEDED
#define SUCCEEDED(status) ((HRESULT)(status) >= 0)
#endif
#ifndef FAILED
#define FAILED(status) ((HRESULT)(status) < 0)
#endif
#ifndef HEAP_ZERO_MEMORY
#define HEAP_ZERO_MEMORY 0x00000008
#endif

/* The process heap is malloc's. */
static inline HANDLE GetProcessHeap(void)
{
    static char process_heap;
    return &process_heap;
}

static inline PVOID HeapAlloc(HANDLE heap, DWORD flags, size_t size)
{
    (void)heap;
    if (size == 0)
        size = 1;
    return (flags & HEAP_ZERO_MEMORY) != 0 ? calloc(1, size) : malloc(size);
}

static inline BOOL HeapFree(HANDLE heap, DWORD flags, PVOID memory)
{
    (void)heap;
    (void)flags;
    free(memory);
    return TRUE;
}

#endif /* TOKENBINDING_NO_WINDOWS_TYPES */

#ifndef SEC_E_OK
#define SEC_E_OK ((int32_t)0x00000000)
#endif
#ifndef NTE_BAD_KEY
#define NTE_BAD_KEY ((int32_t)0x80090003)
#endif
#ifndef NTE_BAD_LEN
#define NTE_BAD_LEN ((int32_t)0x80090004)
#endif
#ifndef NTE_BAD_DATA
#define NTE_BAD_DATA ((int32_t)0x80090005)
#endif
#ifndef NTE_BAD_SIGNATURE
#define NTE_BAD_SIGNATURE ((int32_t)0x80090006)
#endif
#ifndef NTE_BAD_ALGID
#define NTE_BAD_ALGID ((int32_t)0x80090008)
#endif
#ifndef NTE_BAD_TYPE
#define NTE_BAD_TYPE ((int32_t)0x8009000A)
#endif
#ifndef NTE_NO_KEY
#define NTE_NO_KEY ((int32_t)0x8009000D)
#endif
#ifndef NTE_NO_MEMORY
#define NTE_NO_MEMORY ((int32_t)0x8009000E)
#endif
#ifndef NTE_PERM
#define NTE_PERM ((int32_t)0x80090010)
#endif
#ifndef NTE_NOT_FOUND
#define NTE_NOT_FOUND ((int32_t)0x80090011)
#endif
#ifndef NTE_BAD_KEYSET
#define NTE_BAD_KEYSET ((int32_t)0x80090016)
#endif
#ifndef NTE_FAIL
#define NTE_FAIL ((int32_t)0x80090020)
#endif
#ifndef NTE_TOKEN_KEYSET_STORAGE_FULL
#define NTE_TOKEN_KEYSET_STORAGE_FULL ((int32_t)0x80090023)
#endif
#ifndef NTE_INVALID_PARAMETER
#define NTE_INVALID_PARAMETER ((int32_t)0x80090027)
#endif
#ifndef NTE_NOT_SUPPORTED
#define NTE_NOT_SUPPORTED ((int32_t)0x80090029)
#endif
#ifndef NTE_INTERNAL_ERROR
#define NTE_INTERNAL_ERROR ((int32_t)0x8009002D)
#endif
#ifndef NTE_DEVICE_NOT_READY
#define NTE_DEVICE_NOT_READY ((int32_t)0x80090030)
#endif
#ifndef NTE_VALIDATION_FAILED
#define NTE_VALIDATION_FAILED ((int32_t)0x80090032)
#endif
#ifndef NTE_DEVICE_NOT_FOUND
#define NTE_DEVICE_NOT_FOUND ((int32_t)0x80090035)
#endif

#endif /* TOKENBINDING_TYPES_H */
