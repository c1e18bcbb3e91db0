#include "cli/workloads/label_selector.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace keelson::cli::kube {
namespace {

std::string trimmed(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// At commas that stand in no parentheses.
std::vector<std::string> requirements(const std::string& text) {
    std::vector<std::string> parts(1);
    int depth = 0;
    for (const char letter : text) {
        depth += letter == '(' ? 1 : letter == ')' ? -1 : 0;
        if (letter == ',' && depth == 0)
            parts.emplace_back();
        else
            parts.back() += letter;
    }
    return parts;
}

void add_expression(Object& selector, const std::string& key, const char* relation,
                    const std::vector<std::string>& values) {
    Object expression{{"key", key}, {"operator", relation}};
    if (!values.empty()) expression["values"] = values;
    selector["matchExpressions"].push_back(expression);
}

std::vector<std::string> values_in(const std::string& list) {
    std::vector<std::string> values(1);
    for (const char letter : list) {
        if (letter == ',')
            values.emplace_back();
        else if (letter != '(' && letter != ')' && letter != ' ')
            values.back() += letter;
    }
    std::sort(values.begin(), values.end());
    return values;
}

// "key in (a,b)" and "key notin (a,b)"; false for what is neither.
bool add_set(Object& selector, const std::string& one) {
    const std::size_t open = one.find('(');
    if (open == std::string::npos) return false;
    const std::string before = trimmed(one.substr(0, open));
    const std::size_t space = before.find(' ');
    if (space == std::string::npos) return false;
    const std::string relation = trimmed(before.substr(space));
    if (relation != "in" && relation != "notin") return false;
    add_expression(selector, before.substr(0, space), relation == "in" ? "In" : "NotIn",
                   values_in(one.substr(open)));
    return true;
}

}  // namespace

Result<Object> parse_label_selector(const std::string& text) {
    Object selector = Object::object();
    for (const std::string& part : requirements(text)) {
        const std::string one = trimmed(part);
        if (one.empty())
            return fail("couldn't parse the selector string \"" + text + "\": found nothing between commas");
        if (add_set(selector, one)) continue;
        const std::size_t equals = one.find('=');
        if (equals == std::string::npos) {
            const bool is_absent = one.front() == '!';
            add_expression(selector, trimmed(one.substr(is_absent ? 1 : 0)),
                           is_absent ? "DoesNotExist" : "Exists", {});
            continue;
        }
        const bool is_unequal = equals > 0 && one[equals - 1] == '!';
        const std::string key = trimmed(one.substr(0, equals - (is_unequal ? 1 : 0)));
        const std::size_t value_begin = equals + (equals + 1 < one.size() && one[equals + 1] == '=' ? 2 : 1);
        const std::string value = trimmed(one.substr(value_begin));
        if (key.empty()) return fail("couldn't parse the selector string \"" + text + "\": a key is missing");
        if (is_unequal)
            add_expression(selector, key, "NotIn", {value});
        else
            selector["matchLabels"][key] = value;
    }
    return selector;
}

}  // namespace keelson::cli::kube
