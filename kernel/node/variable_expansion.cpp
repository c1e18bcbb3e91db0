#include "kernel/node/variable_expansion.h"

namespace keelson::node {

std::string expand_variables(std::string_view text, const VariableLookup& look_up) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool is_last = at + 1 == text.size();
        if (text[at] != '$' || is_last) {
            result += text[at];
            continue;
        }
        const char next = text[++at];
        const std::size_t end = next == '(' ? text.find(')', at) : std::string_view::npos;
        if (next == '$') {
            result += '$';
        } else if (end == std::string_view::npos) {
            result += '$';
            result += next;
        } else {
            const std::string_view name = text.substr(at + 1, end - at - 1);
            const auto value = look_up(name);
            result += value ? *value : "$(" + std::string(name) + ")";
            at = end;
        }
    }
    return result;
}

}  // namespace keelson::node
