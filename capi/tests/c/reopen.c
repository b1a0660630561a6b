/* Opens the library, signs, and closes it again, as often as the argument says. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tokenbinding.h>

typedef int32_t IdForUri(TOKENBINDING_KEY_PARAMETERS_TYPE, const char16_t *,
                         TOKENBINDING_RESULT_DATA **);

int main(int argc, char **argv)
{
    long times = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    for (long i = 0; i < times; i++) {
        void *library = dlopen("libtokenbinding.so.0", RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        IdForUri *id_for_uri;
        void *symbol = dlsym(library, "TokenBindingGenerateIDForUri");
        memcpy(&id_for_uri, &symbol, sizeof symbol);
        TOKENBINDING_RESULT_DATA *result = NULL;
        int32_t status = id_for_uri(TOKENBINDING_KEY_PARAMETERS_TYPE_ECDSAP256,
                                    u"https://reopen.test/", &result);
        if (status != 0) {
            fprintf(stderr, "%ld: 0x%08X\n", i, (unsigned)status);
            return 1;
        }
        free(result);
        if (dlclose(library) != 0)
            return 1;
    }
    printf("%ld\n", times);
    return 0;
}
