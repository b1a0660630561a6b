/* A program that has types of its own, as PC/SC lite defines them: its DWORD has 8 bytes. */
typedef unsigned char BYTE;
typedef unsigned long DWORD;
typedef short BOOL;
typedef const unsigned short *PCWSTR;
#ifdef RECOGNISED
#define __wintypes_h__ 1
#else
#define TOKENBINDING_NO_WINDOWS_TYPES
#endif
#include <tokenbinding.h>

int main(void)
{
    BYTE major = 0, minor = 0;
    DWORD expected = 1;
    return TokenBindingGetHighestSupportedVersion(&major, &minor) != SEC_E_OK || major != expected;
}
