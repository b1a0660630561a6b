// The key types that the provider offers, and the id of a target's key: C++ with owners that free.
//
//   c++ -std=c++17 identify.cpp $(pkg-config --cflags --libs tokenbinding) -o identify
//   ./identify https://example.com/

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include <tokenbinding.h>

namespace {

struct Free {
    void operator()(void *memory) const { std::free(memory); }
};

template <typename T> using Owned = std::unique_ptr<T, Free>;

void check(SECURITY_STATUS status)
{
    if (FAILED(status))
        throw std::runtime_error(TokenBindingGetLastErrorText());
}

Owned<TOKENBINDING_KEY_TYPES> key_types()
{
    TOKENBINDING_KEY_TYPES *types = nullptr;
    check(TokenBindingGetKeyTypesClient(&types));
    return Owned<TOKENBINDING_KEY_TYPES>(types);
}

Owned<TOKENBINDING_RESULT_DATA> id(TOKENBINDING_KEY_PARAMETERS_TYPE type,
                                   const std::u16string &target)
{
    TOKENBINDING_RESULT_DATA *result = nullptr;
    check(TokenBindingGenerateIDForUri(type, target.c_str(), &result));
    return Owned<TOKENBINDING_RESULT_DATA>(result);
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: identify TARGET\n");
        return 2;
    }
    const std::string target(argv[1]);
    const auto types = key_types();
    for (DWORD i = 0; i < types->keyCount; i++) {
        const auto result = id(types->keyType[i], std::u16string(target.begin(), target.end()));
        const auto *bytes = reinterpret_cast<const BYTE *>(result->identifierData);
        for (DWORD j = 0; j < result->identifierSize; j++)
            std::printf("%02x", static_cast<unsigned>(bytes[j]));
        std::printf("\n");
    }
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "identify: %s\n", error.what());
    return 1;
}
