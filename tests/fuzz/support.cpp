#include <algorithm>

#include "tests/fuzz/targets.h"

namespace keelson::fuzz {

std::string_view take_line(std::string_view& input) {
    std::size_t end = std::min(input.find('\n'), input.size());
    std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return line;
}

const object::Type& type_of(std::string_view line) {
    if (const object::Type* named = object::find_type(line)) return *named;
    static const std::vector<const object::Type*> kinds = [] {
        std::vector<const object::Type*> found;
        for (const object::Type* type : object::builtin_types())
            if (!type->kind.empty()) found.push_back(type);
        return found;
    }();
    std::size_t sum = line.size();
    for (unsigned char c : line) sum = sum * 31 + c;
    return *kinds[sum % kinds.size()];
}

}  // namespace keelson::fuzz
