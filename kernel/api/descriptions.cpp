#include "kernel/api/descriptions.h"

#include <algorithm>

#include "kernel/api/description_lines.h"

namespace keelson::api {
namespace {

// Which type and field a line is about.
struct Subject {
    std::string_view type;
    std::string_view field;
    auto operator<=>(const Subject&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer
};

std::string_view line_at(std::uint32_t offset) {
    const std::string_view all = description_lines.substr(offset);
    return all.substr(0, all.find('\n'));
}

Subject subject_of(std::string_view line) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    return {line.substr(0, first), line.substr(first + 1, second - first - 1)};
}

std::string_view find(const Subject& subject) {
    const auto found = std::ranges::lower_bound(
        description_offsets, subject, {}, [](std::uint32_t offset) { return subject_of(line_at(offset)); });
    if (found == description_offsets.end()) return {};
    const std::string_view line = line_at(*found);
    return subject_of(line) == subject ? line.substr(line.rfind('\t') + 1) : std::string_view();
}

}  // namespace

std::string_view description_of(std::string_view type, std::string_view field) {
    constexpr std::string_view kAnyType = "*";
    const std::string_view own = find({type, field});
    return own.empty() && !field.empty() ? find({kAnyType, field}) : own;
}

}  // namespace keelson::api
