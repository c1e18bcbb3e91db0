#include "cli/kube/sorting.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "cli/print/jsonpath.h"
#include "kernel/object/quantity.h"

namespace keelson::cli::kube {
namespace {

struct Keyed {
    std::optional<Object> key;
    Object item;
};

std::string text_of_key(const Object& key) {
    return key.is_string() ? key.get<std::string>() : key.dump();
}

bool is_less(const std::optional<Object>& one, const std::optional<Object>& other) {
    if (!one || !other) return !one && other;
    const std::string left = text_of_key(*one);
    const std::string right = text_of_key(*other);
    const auto left_amount = object::Quantity::parse(left);
    const auto right_amount = object::Quantity::parse(right);
    if (left_amount && right_amount && !left.empty() && !right.empty()) return *left_amount < *right_amount;
    if (one->is_number() && other->is_number()) return one->get<double>() < other->get<double>();
    return is_before_by_nature(left, right);
}

// The items in the order of the keys that are found in what `object_of` gives of them.
template <typename ObjectOf>
Result<void> sort_by(std::vector<Object>& items, const std::string& text, ObjectOf object_of) {
    const auto path_text = printing::relaxed_path(text);
    if (!path_text) return tl::unexpected(path_text.error());
    const auto path = printing::JsonPath::parse(*path_text);
    if (!path) return tl::unexpected(path.error());
    std::vector<Keyed> keyed;
    bool has_any = items.empty();
    for (Object& item : items) {
        const auto found = path->find(object_of(item), true);
        if (!found) return tl::unexpected(found.error());
        std::optional<Object> key;
        if (!found->parts.empty() && !found->parts.front().empty()) key = *found->parts.front().front();
        has_any = has_any || key;
        keyed.push_back({std::move(key), std::move(item)});
    }
    if (!has_any)
        return fail("couldn't find any field with path \"" + *path_text + "\" in the list of objects");
    std::ranges::stable_sort(
        keyed, [](const Keyed& one, const Keyed& other) { return is_less(one.key, other.key); });
    items.clear();
    for (Keyed& one : keyed) items.push_back(std::move(one.item));
    return {};
}

bool is_digit(char character) {
    return std::isdigit(static_cast<unsigned char>(character)) != 0;
}

// The number at the beginning, without its zeros; it is taken off the text.
std::string_view take_number(std::string_view& text) {
    std::size_t end = 0;
    while (end < text.size() && is_digit(text[end])) ++end;
    std::string_view number = text.substr(0, end);
    text.remove_prefix(end);
    while (number.size() > 1 && number.front() == '0') number.remove_prefix(1);
    return number;
}

}  // namespace

bool is_before_by_nature(std::string_view one, std::string_view other) {
    while (!one.empty() && !other.empty()) {
        if (is_digit(one.front()) && is_digit(other.front())) {
            const std::string_view left = take_number(one);
            const std::string_view right = take_number(other);
            if (left.size() != right.size()) return left.size() < right.size();
            if (left != right) return left < right;
            continue;
        }
        if (one.front() != other.front()) return one.front() < other.front();
        one.remove_prefix(1);
        other.remove_prefix(1);
    }
    return one.size() < other.size();
}

Result<void> sort_objects(std::vector<Object>& objects, const std::string& path) {
    return sort_by(objects, path, [](const Object& item) -> const Object& { return item; });
}

Result<void> sort_rows(std::vector<Object>& tables, const std::string& path) {
    std::vector<Object> rows;
    for (Object& table : tables)
        if (table.contains("rows") && table["rows"].is_array()) {
            for (Object& row : table["rows"]) rows.push_back(std::move(row));
            table["rows"] = Object::array();
        }
    if (rows.empty()) return {};
    const auto sorted =
        sort_by(rows, path, [](const Object& row) -> const Object& { return member(row, "object"); });
    if (!sorted) return sorted;
    tables.front()["rows"] = std::move(rows);
    return {};
}

}  // namespace keelson::cli::kube
