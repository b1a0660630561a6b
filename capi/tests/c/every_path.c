/*
 * Calls every function on its paths of success and failure, and frees what it gets: for tools that
 * look for leaks and invalid accesses. Inputs are copied into blocks of exactly their size, so that
 * reading one byte too many is seen.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <tokenbinding.h>

#define ECDSAP256 TOKENBINDING_KEY_PARAMETERS_TYPE_ECDSAP256
#define RSA_PKCS TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PKCS
#define RSA_PSS TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PSS
#define ANYEXISTING TOKENBINDING_KEY_PARAMETERS_TYPE_ANYEXISTING
#define PROVIDED TOKENBINDING_TYPE_PROVIDED
#define REFERRED TOKENBINDING_TYPE_REFERRED
#define UNDEFINED TOKENBINDING_EXTENSION_FORMAT_UNDEFINED
#define TARGET target

static int failures;
static BYTE *ekm;
static char16_t *target;

/* The status is the expected one, the text tells failures from successes, and errno stays. */
static void check(int line, SECURITY_STATUS status, SECURITY_STATUS expected)
{
    const char *text = TokenBindingGetLastErrorText();
    if (status != expected || (*text == '\0') != (status == SEC_E_OK) || errno != 4711) {
        fprintf(stderr, "line %d: 0x%08X, errno %d: %s\n", line, (unsigned)status, errno, text);
        failures++;
    }
    errno = 4711;
}

static void check_that(int line, int truth)
{
    if (!truth) {
        fprintf(stderr, "line %d\n", line);
        failures++;
    }
}

#define EXPECT(expected, call) check(__LINE__, (call), (expected))
#define THAT(truth) check_that(__LINE__, (truth))

static void *copied(const void *bytes, size_t size)
{
    void *copy = HeapAlloc(GetProcessHeap(), 0, size);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, size);
    return copy;
}

struct binding {
    void *data;
    DWORD size;
};

static struct binding generate(TOKENBINDING_KEY_PARAMETERS_TYPE keyType, TOKENBINDING_TYPE type)
{
    struct binding binding = {NULL, 0};
    TOKENBINDING_RESULT_DATA *result = NULL;
    EXPECT(SEC_E_OK, TokenBindingGenerateBinding(keyType, TARGET, type, ekm, 32, UNDEFINED, NULL,
                                                 &binding.data, &binding.size, &result));
    THAT(result != NULL && result->bindingType == type && binding.data != NULL);
    THAT(memcmp((BYTE *)binding.data + 1, result->identifierData, result->identifierSize) == 0);
    free(result);
    return binding;
}

static void fail_to_generate(void)
{
    static char16_t endless[2085];
    static const char16_t surrogate[] = {u'a', 0xD800, u'b', 0};
    void *binding = &failures;
    DWORD size = 9;
    TOKENBINDING_RESULT_DATA *result = (TOKENBINDING_RESULT_DATA *)&failures;
    size_t i;

#define FAIL(status, keyType, target, type, unique, uniqueSize, format, data)                      \
    do {                                                                                           \
        binding = &failures, size = 9, result = (TOKENBINDING_RESULT_DATA *)&failures;             \
        EXPECT(status, TokenBindingGenerateBinding(keyType, target, type, unique, uniqueSize,      \
                                                   format, data, &binding, &size, &result));       \
        THAT(binding == NULL && size == 0 && result == NULL);                                      \
    } while (0)

    FAIL(NTE_INVALID_PARAMETER, 3, TARGET, PROVIDED, ekm, 32, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, NULL, PROVIDED, ekm, 32, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, u"", PROVIDED, ekm, 32, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, surrogate, PROVIDED, ekm, 32, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, u"https://a b/", PROVIDED, ekm, 32, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, TARGET, 2, ekm, 32, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, TARGET, PROVIDED, NULL, 32, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, TARGET, PROVIDED, ekm, 31, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, TARGET, PROVIDED, ekm, 0xFFFFFFFF, UNDEFINED, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, TARGET, PROVIDED, ekm, 32, 1, NULL);
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, TARGET, PROVIDED, ekm, 32, UNDEFINED, "x");
    FAIL(NTE_NOT_FOUND, ANYEXISTING, u"https://none.test/", REFERRED, ekm, 32, UNDEFINED, NULL);
    for (i = 0; i < 2084; i++)
        endless[i] = u'a';
    FAIL(NTE_INVALID_PARAMETER, ECDSAP256, endless, PROVIDED, ekm, 32, UNDEFINED, NULL);
#undef FAIL

    EXPECT(NTE_INVALID_PARAMETER,
           TokenBindingGenerateBinding(ECDSAP256, TARGET, PROVIDED, ekm, 32, UNDEFINED, NULL, NULL,
                                       &size, &result));
    EXPECT(NTE_INVALID_PARAMETER,
           TokenBindingGenerateBinding(ECDSAP256, TARGET, PROVIDED, ekm, 32, UNDEFINED, NULL,
                                       &binding, NULL, &result));
}

static void messages(TOKENBINDING_KEY_PARAMETERS_TYPE keyType)
{
    struct binding provided = generate(keyType, PROVIDED), referred = generate(keyType, REFERRED);
    const void *bindings[17] = {provided.data, referred.data};
    DWORD sizes[17] = {provided.size, referred.size};
    void *message = NULL, *other = NULL;
    DWORD size = 0, none = 9, i;
    TOKENBINDING_RESULT_LIST *list = NULL;
    BYTE *bad;

    EXPECT(SEC_E_OK, TokenBindingGenerateMessage(bindings, sizes, 2, &message, &size));
    EXPECT(SEC_E_OK, TokenBindingVerifyMessage(message, size, keyType, ekm, 32, &list));
    THAT(list->resultCount == 2 && list->resultData[1].bindingType == REFERRED);
    for (i = 0; i < list->resultCount; i++)
        THAT(list->resultData[i].identifierData->keyType == keyType
             && list->resultData[i].identifierSize == (keyType == ECDSAP256 ? 68 : 265));
    HeapFree(GetProcessHeap(), 0, list);

    /* Every prefix, each in a block of its own. */
    for (i = 0; i < size; i += i < 140 ? 1 : 97) {
        SECURITY_STATUS status;
        bad = copied(message, i);
        status = TokenBindingVerifyMessage(bad, i, keyType, ekm, 32, &list);
        THAT(list == NULL && (status == NTE_BAD_LEN || status == NTE_BAD_DATA));
        free(bad);
    }
    bad = copied(message, size);
    bad[size - 3] ^= 1;
    EXPECT(NTE_BAD_SIGNATURE, TokenBindingVerifyMessage(bad, size, keyType, ekm, 32, &list));
    EXPECT(NTE_BAD_LEN, TokenBindingVerifyMessage(bad, 0xFFFFFFFF, keyType, ekm, 32, &list));
    EXPECT(NTE_BAD_ALGID, TokenBindingVerifyMessage(bad, size, (keyType + 1) % 3, ekm, 32, &list));
    EXPECT(NTE_INVALID_PARAMETER,
           TokenBindingVerifyMessage(bad, size, ANYEXISTING, ekm, 32, &list));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingVerifyMessage(bad, size, keyType, ekm, 31, &list));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingVerifyMessage(bad, size, keyType, NULL, 32, &list));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingVerifyMessage(NULL, size, keyType, ekm, 32, &list));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingVerifyMessage(bad, size, keyType, ekm, 32, NULL));
    free(bad);

    other = &failures;
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateMessage(bindings, sizes, 0, &other, &none));
    THAT(other == NULL && none == 0);
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateMessage(bindings, sizes, 17, &other, &none));
    EXPECT(NTE_INVALID_PARAMETER,
           TokenBindingGenerateMessage(bindings, sizes, 0xFFFFFFFF, &other, &none));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateMessage(NULL, sizes, 2, &other, &none));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateMessage(bindings, NULL, 2, &other, &none));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateMessage(bindings, sizes, 2, NULL, &none));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateMessage(bindings, sizes, 2, &other, NULL));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateMessage(bindings, sizes, 3, &other, &none));
    sizes[1] = 0xFFFFFFFF;
    EXPECT(NTE_BAD_LEN, TokenBindingGenerateMessage(bindings, sizes, 2, &other, &none));
    sizes[1] = referred.size - 1;
    EXPECT(NTE_BAD_LEN, TokenBindingGenerateMessage(bindings, sizes, 2, &other, &none));
    sizes[1] = 0;
    EXPECT(NTE_BAD_LEN, TokenBindingGenerateMessage(bindings, sizes, 2, &other, &none));

    free(message);
    free(provided.data);
    free(referred.data);
}

static void ids(void)
{
    TOKENBINDING_RESULT_DATA *uri = NULL, *again = NULL;
    BYTE *key;
    EXPECT(SEC_E_OK, TokenBindingGenerateIDForUri(ECDSAP256, TARGET, &uri));
    key = copied((BYTE *)uri->identifierData + 3, 65);
    EXPECT(SEC_E_OK, TokenBindingGenerateID(ECDSAP256, key, 65, &again));
    THAT(again->identifierSize == 68 && memcmp(again->identifierData, uri->identifierData, 68) == 0);
    free(again);
    EXPECT(NTE_BAD_LEN, TokenBindingGenerateID(RSA_PSS, key, 65, &again));
    THAT(again == NULL);
    EXPECT(NTE_BAD_LEN, TokenBindingGenerateID(ECDSAP256, key, 0, &again));
    EXPECT(NTE_BAD_LEN, TokenBindingGenerateID(ECDSAP256, key, 0xFFFFFFFF, &again));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateID(ANYEXISTING, key, 65, &again));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateID(ECDSAP256, NULL, 65, &again));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateID(ECDSAP256, key, 65, NULL));
    key[64] ^= 1;
    EXPECT(NTE_BAD_KEY, TokenBindingGenerateID(ECDSAP256, key, 65, &again));
    free(key);
    free(uri);
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateIDForUri(-1, TARGET, &uri));
    THAT(uri == NULL);
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateIDForUri(ECDSAP256, NULL, &uri));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGenerateIDForUri(ECDSAP256, TARGET, NULL));
}

static void lists_and_version(void)
{
    TOKENBINDING_KEY_TYPES *types = NULL;
    BYTE major = 9, minor = 9;
    EXPECT(SEC_E_OK, TokenBindingGetKeyTypesClient(&types));
    THAT(types->keyCount == 3 && types->keyType[0] == ECDSAP256);
    free(types);
    EXPECT(SEC_E_OK, TokenBindingGetKeyTypesServer(&types));
    THAT(types->keyCount == 3 && types->keyType[2] == RSA_PKCS);
    free(types);
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGetKeyTypesClient(NULL));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGetKeyTypesServer(NULL));
    EXPECT(SEC_E_OK, TokenBindingGetHighestSupportedVersion(&major, &minor));
    THAT(major == 1 && minor == 0);
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGetHighestSupportedVersion(NULL, &minor));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingGetHighestSupportedVersion(&major, NULL));
    THAT(major == 0);
}

int main(void)
{
    static const BYTE bytes[32] = {1, 2, 3};
    static const char16_t url[] = u"https://www.example.com/";
    ekm = copied(bytes, sizeof bytes);
    target = copied(url, sizeof url);
    errno = 4711;
    EXPECT(NTE_NOT_FOUND, TokenBindingDeleteBinding(TARGET));
    EXPECT(NTE_INVALID_PARAMETER, TokenBindingDeleteBinding(NULL));
    lists_and_version();
    fail_to_generate();
    messages(ECDSAP256);
    messages(RSA_PKCS);
    messages(RSA_PSS);
    ids();
    EXPECT(SEC_E_OK, TokenBindingDeleteBinding(TARGET));
    EXPECT(SEC_E_OK, TokenBindingDeleteAllBindings());
    EXPECT(SEC_E_OK, TokenBindingDeleteAllBindings());
    free(target);
    free(ekm);
    printf("%d failures\n", failures);
    return failures != 0;
}
