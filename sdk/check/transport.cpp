#include "transport.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace keelson::check {

void Answer::close_descriptors() {
    for (const int descriptor : descriptors) ::close(descriptor);
    descriptors.clear();
}

std::vector<MethodReference> methods_of(Transport& transport) {
    std::vector<MethodReference> found;
    for (const auto& capability : keelson_capability_list) {
        if (std::string_view(capability.id) == KEELSON_HANDOVER) continue;
        for (std::size_t i = 0; i < capability.method_count; ++i) {
            const MethodReference method{&capability, &capability.methods[i]};
            if (transport.has(method)) found.push_back(method);
        }
    }
    return found;
}

MethodReference method_named(std::string_view capability_id, std::string_view name) {
    for (const auto& capability : keelson_capability_list) {
        if (capability.id != capability_id) continue;
        for (std::size_t i = 0; i < capability.method_count; ++i) {
            if (capability.methods[i].name == name) return {&capability, &capability.methods[i]};
        }
    }
    std::fprintf(stderr, "keelson-plugin-check: a case names a method that the SDK does not have\n");
    std::abort();
}

}  // namespace keelson::check
