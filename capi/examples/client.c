/*
 * A client: prints the value of Sec-Token-Binding for a connection.
 *
 *   cc client.c $(pkg-config --cflags --libs tokenbinding) -o client
 *   ./client https://example.com/ ecdsap256 EKM [REFERRED-TARGET]
 *
 * EKM is what the TLS connection exports under "EXPORTER-Token-Binding", in hexadecimal. A program
 * that has the connection at hand calls SSL_export_keying_material() instead.
 */
#include "arguments.h"

/* Signs for one target. With ANYEXISTING for a referred one: its key was made for its own server. */
static SECURITY_STATUS bind(TOKENBINDING_KEY_PARAMETERS_TYPE keyType, const char *target,
                            TOKENBINDING_TYPE bindingType, const BYTE ekm[32], void **binding,
                            DWORD *size)
{
    SECURITY_STATUS status;
    char16_t *wide = read_target(target);
    status = TokenBindingGenerateBinding(keyType, wide, bindingType, ekm, 32,
                                         TOKENBINDING_EXTENSION_FORMAT_UNDEFINED, NULL, binding,
                                         size, NULL);
    free(wide);
    return status;
}

int main(int argc, char **argv)
{
    TOKENBINDING_KEY_PARAMETERS_TYPE keyType;
    BYTE ekm[32] = {0};
    void *bindings[2] = {NULL, NULL};
    DWORD sizes[2] = {0, 0};
    DWORD count = 0;
    void *message = NULL;
    DWORD messageSize = 0;
    SECURITY_STATUS status;

    if (argc < 4 || argc > 5 || !read_key_type(argv[2], &keyType) || !read_ekm(argv[3], ekm)) {
        fprintf(stderr, "usage: client TARGET KEY-TYPE EKM [REFERRED-TARGET]\n");
        return 2;
    }

    status = bind(keyType, argv[1], TOKENBINDING_TYPE_PROVIDED, ekm, &bindings[0], &sizes[0]);
    count = 1;
    if (status == SEC_E_OK && argc == 5) {
        status = bind(TOKENBINDING_KEY_PARAMETERS_TYPE_ANYEXISTING, argv[4],
                      TOKENBINDING_TYPE_REFERRED, ekm, &bindings[1], &sizes[1]);
        count = 2;
    }
    if (status == SEC_E_OK)
        status = TokenBindingGenerateMessage((const void **)bindings, sizes, count, &message,
                                             &messageSize);
    if (status == SEC_E_OK) {
        print_base64url((const BYTE *)message, messageSize);
        putchar('\n');
    } else {
        report("client", status);
    }
    HeapFree(GetProcessHeap(), 0, message);
    HeapFree(GetProcessHeap(), 0, bindings[1]);
    HeapFree(GetProcessHeap(), 0, bindings[0]);
    return status != SEC_E_OK;
}
