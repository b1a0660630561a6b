/*
 * Token Binding (RFC 8471): the functions of Windows' tokenbinding.h, on Linux, with keys in a
 * TPM, on a PKCS#11 token or in software. docs/c-api.md is the manual.
 *
 * - Every output is allocated by the function in one block; the caller frees it with
 *   HeapFree(GetProcessHeap(), 0, p) or free(p). A list is freed as a whole.
 * - A function that fails has set its outputs to NULL or 0. TokenBindingGetLastErrorText() says
 *   what happened in words.
 * - Strings are UTF-16: write u"https://example.com/" where Windows programs write L"...".
 * - All functions may be called by several threads at once.
 */
#ifndef TOKENBINDING_H
#define TOKENBINDING_H

#include "tokenbinding_types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum TOKENBINDING_TYPE {
    TOKENBINDING_TYPE_PROVIDED = 0, /* with the server that the message goes to */
    TOKENBINDING_TYPE_REFERRED = 1  /* with another server, which is to get a token */
} TOKENBINDING_TYPE;

typedef enum TOKENBINDING_EXTENSION_FORMAT {
    TOKENBINDING_EXTENSION_FORMAT_UNDEFINED = 0
} TOKENBINDING_EXTENSION_FORMAT;

typedef enum TOKENBINDING_KEY_PARAMETERS_TYPE {
    TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PKCS = 0,
    TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PSS = 1,
    TOKENBINDING_KEY_PARAMETERS_TYPE_ECDSAP256 = 2,
    TOKENBINDING_KEY_PARAMETERS_TYPE_ANYEXISTING = 255 /* a key that is there; none is made */
} TOKENBINDING_KEY_PARAMETERS_TYPE;

/* The first octet of a TokenBindingID (RFC 8471 section 3.1). The others follow it. */
#pragma pack(push, 1)
typedef struct TOKENBINDING_IDENTIFIER {
    uint8_t keyType;
} TOKENBINDING_IDENTIFIER;
#pragma pack(pop)

typedef struct TOKENBINDING_RESULT_DATA {
    TOKENBINDING_TYPE bindingType;
    uint32_t identifierSize;                 /* bytes at identifierData */
    TOKENBINDING_IDENTIFIER *identifierData; /* the whole TokenBindingID */
    TOKENBINDING_EXTENSION_FORMAT extensionFormat;
    uint32_t extensionSize; /* 0 */
    void *extensionData;    /* NULL */
} TOKENBINDING_RESULT_DATA;

typedef struct TOKENBINDING_RESULT_LIST {
    uint32_t resultCount;
    TOKENBINDING_RESULT_DATA *resultData;
} TOKENBINDING_RESULT_LIST;

typedef struct TOKENBINDING_KEY_TYPES {
    uint32_t keyCount;
    TOKENBINDING_KEY_PARAMETERS_TYPE *keyType; /* the most preferred first */
} TOKENBINDING_KEY_TYPES;

/*
 * Client: signs the 32 bytes that the TLS connection exports under "EXPORTER-Token-Binding" with
 * the key of targetURL. The key is made where there is none, except for ANYEXISTING.
 * extensionFormat is UNDEFINED and extensionData NULL. resultData may be NULL.
 */
int32_t TokenBindingGenerateBinding(TOKENBINDING_KEY_PARAMETERS_TYPE keyType,
                                    const char16_t *targetURL, TOKENBINDING_TYPE bindingType,
                                    const void *tlsEKM, uint32_t tlsEKMSize,
                                    TOKENBINDING_EXTENSION_FORMAT extensionFormat,
                                    const void *extensionData, void **tokenBinding,
                                    uint32_t *tokenBindingSize,
                                    TOKENBINDING_RESULT_DATA **resultData);

/*
 * Client: the message of 1 to 16 bindings, to be sent base64url-encoded in Sec-Token-Binding.
 */
int32_t TokenBindingGenerateMessage(const void *tokenBindings[],
                                    const uint32_t tokenBindingsSize[],
                                    uint32_t tokenBindingsCount, void **tokenBindingMessage,
                                    uint32_t *tokenBindingMessageSize);

/*
 * Server: verifies a message, base64url decoded, on a connection that negotiated keyType. There is
 * one result for each binding that was verified, in the order of the message. Exactly one is
 * provided and at most one referred; others, with a bindingType of 2 to 255, are to be ignored.
 */
int32_t TokenBindingVerifyMessage(const void *tokenBindingMessage,
                                  uint32_t tokenBindingMessageSize,
                                  TOKENBINDING_KEY_PARAMETERS_TYPE keyType, const void *tlsEKM,
                                  uint32_t tlsEKMSize, TOKENBINDING_RESULT_LIST **resultList);

/* Client: what the provider can make keys of. */
int32_t TokenBindingGetKeyTypesClient(TOKENBINDING_KEY_TYPES **keyTypes);

/* Server: what can be verified. */
int32_t TokenBindingGetKeyTypesServer(TOKENBINDING_KEY_TYPES **keyTypes);

/* Client: deletes the keys of targetURL, of every type, for good. */
int32_t TokenBindingDeleteBinding(const char16_t *targetURL);

/* Client: deletes all keys of the user's profile for good. */
int32_t TokenBindingDeleteAllBindings(void);

/*
 * The id of a public key: a BCRYPT_ECCPUBLIC_BLOB, a BCRYPT_RSAPUBLIC_BLOB, or the public key as in
 * a TokenBindingID.
 */
int32_t TokenBindingGenerateID(TOKENBINDING_KEY_PARAMETERS_TYPE keyType, const void *publicKey,
                               uint32_t publicKeySize, TOKENBINDING_RESULT_DATA **resultData);

/* Client: the id of the key of targetUri, which is made where there is none. */
int32_t TokenBindingGenerateIDForUri(TOKENBINDING_KEY_PARAMETERS_TYPE keyType,
                                     const char16_t *targetUri,
                                     TOKENBINDING_RESULT_DATA **resultData);

/* The highest version of the protocol: 1.0. */
int32_t TokenBindingGetHighestSupportedVersion(uint8_t *majorVersion, uint8_t *minorVersion);

/*
 * Not on Windows. What this thread's last call has to say about its failure, in UTF-8; empty after
 * a success. Valid until the thread's next call or end; not to be freed.
 */
const char *TokenBindingGetLastErrorText(void);

/* The layout of Windows, field by field. */
#if defined(__cplusplus)
#define TOKENBINDING_ASSERT_(truth) static_assert(truth, #truth)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define TOKENBINDING_ASSERT_(truth) _Static_assert(truth, #truth)
#else
#define TOKENBINDING_ASSERT_(truth) extern int tokenbinding_assert_[(truth) ? 1 : -1]
#endif

TOKENBINDING_ASSERT_(sizeof(char16_t) == 2);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_TYPE) == 4);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_EXTENSION_FORMAT) == 4);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_KEY_PARAMETERS_TYPE) == 4);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_IDENTIFIER) == 1);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_DATA, bindingType) == 0);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_DATA, identifierSize) == 4);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_DATA, identifierData) == 8);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_LIST, resultCount) == 0);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_KEY_TYPES, keyCount) == 0);
#if UINTPTR_MAX > 0xffffffffu
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_DATA, extensionFormat) == 16);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_DATA, extensionSize) == 20);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_DATA, extensionData) == 24);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_RESULT_DATA) == 32);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_LIST, resultData) == 8);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_RESULT_LIST) == 16);
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_KEY_TYPES, keyType) == 8);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_KEY_TYPES) == 16);
#else
TOKENBINDING_ASSERT_(offsetof(TOKENBINDING_RESULT_DATA, extensionFormat) == 12);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_RESULT_DATA) == 24);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_RESULT_LIST) == 8);
TOKENBINDING_ASSERT_(sizeof(TOKENBINDING_KEY_TYPES) == 8);
#endif

#undef TOKENBINDING_ASSERT_

#ifdef __cplusplus
}
#endif

#endif /* TOKENBINDING_H */
