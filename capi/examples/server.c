/*
 * A server: verifies the value of Sec-Token-Binding against the EKM of its connection, and prints
 * the id of each binding.
 *
 *   cc server.c $(pkg-config --cflags --libs tokenbinding) -o server
 *   ./server VALUE ecdsap256 EKM
 */
#include "arguments.h"

static const char *binding_type(TOKENBINDING_TYPE type)
{
    switch (type) {
    case TOKENBINDING_TYPE_PROVIDED:
        return "provided";
    case TOKENBINDING_TYPE_REFERRED:
        return "referred";
    default:
        return "other"; /* to be ignored (RFC 8471 section 3.1) */
    }
}

int main(int argc, char **argv)
{
    TOKENBINDING_KEY_PARAMETERS_TYPE keyType;
    BYTE ekm[32] = {0};
    static BYTE message[2 + 0xffff];
    size_t size;
    TOKENBINDING_RESULT_LIST *list = NULL;
    SECURITY_STATUS status;
    DWORD i;

    if (argc != 4 || !read_key_type(argv[2], &keyType) || !read_ekm(argv[3], ekm)) {
        fprintf(stderr, "usage: server VALUE KEY-TYPE EKM\n");
        return 2;
    }
    size = read_base64url(argv[1], message, sizeof message);
    if (size == 0) {
        fprintf(stderr, "server: the value is no base64url\n");
        return 1;
    }

    status = TokenBindingVerifyMessage(message, (DWORD)size, keyType, ekm, sizeof ekm, &list);
    if (status != SEC_E_OK)
        return report("TokenBindingVerifyMessage", status);

    for (i = 0; i < list->resultCount; i++) {
        const TOKENBINDING_RESULT_DATA *result = &list->resultData[i];
        printf("%s ", binding_type(result->bindingType));
        print_base64url((const BYTE *)result->identifierData, result->identifierSize);
        putchar('\n');
    }
    HeapFree(GetProcessHeap(), 0, list); /* with all that it points at */
    return 0;
}
