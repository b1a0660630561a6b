/* Signs, forks, and signs in both: the child with the same key, in its own name. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tokenbinding.h>

static TOKENBINDING_RESULT_DATA *sign(void)
{
    static const BYTE ekm[32];
    void *binding = NULL;
    DWORD size = 0;
    TOKENBINDING_RESULT_DATA *result = NULL;
    int32_t status = TokenBindingGenerateBinding(
        TOKENBINDING_KEY_PARAMETERS_TYPE_ECDSAP256, u"https://fork.test/",
        TOKENBINDING_TYPE_PROVIDED, ekm, 32, TOKENBINDING_EXTENSION_FORMAT_UNDEFINED, NULL, &binding,
        &size, &result);
    if (status != SEC_E_OK) {
        fprintf(stderr, "0x%08X: %s\n", (unsigned)status, TokenBindingGetLastErrorText());
        exit(1);
    }
    free(binding);
    return result;
}

/* Signs and compares the key with an earlier one. */
static int signs_with(const TOKENBINDING_RESULT_DATA *earlier)
{
    TOKENBINDING_RESULT_DATA *now = sign();
    int same = memcmp(now->identifierData, earlier->identifierData, earlier->identifierSize) == 0;
    free(now);
    return same;
}

int main(void)
{
    TOKENBINDING_RESULT_DATA *first = sign();
    int status = -1, same;
    pid_t child = fork();
    if (child == 0) {
        same = signs_with(first);
        free(first);
        exit(same ? 0 : 1); /* with everything that is done at exit */
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return 1;
    same = signs_with(first);
    free(first);
    return same ? 0 : 1;
}
