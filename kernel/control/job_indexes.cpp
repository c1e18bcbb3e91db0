#include "kernel/control/job_indexes.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

namespace keelson::control {
namespace {

std::optional<std::int64_t> number_of(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
}

}  // namespace

IndexSet IndexSet::parse(std::string_view text, std::int64_t limit) {
    IndexSet set;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        const std::size_t dash = part.find('-');
        const auto first = number_of(part.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : number_of(part.substr(dash + 1));
        if (!first || !last || *first >= limit || *last < *first) continue;
        set.add(*first, std::min(*last, limit - 1));
    }
    return set;
}

void IndexSet::add(std::int64_t first, std::int64_t last) {
    auto next = intervals_.upper_bound(last + 1);
    // All that touch the new one become part of it.
    while (next != intervals_.begin()) {
        const auto touching = std::prev(next);
        if (touching->second < first - 1) break;
        first = std::min(first, touching->first);
        last = std::max(last, touching->second);
        size_ -= touching->second - touching->first + 1;
        next = intervals_.erase(touching);
    }
    intervals_.emplace_hint(next, first, last);
    size_ += last - first + 1;
}

bool IndexSet::has(std::int64_t index) const {
    const auto after = intervals_.upper_bound(index);
    return after != intervals_.begin() && std::prev(after)->second >= index;
}

std::int64_t IndexSet::count_common(const IndexSet& other) const {
    std::int64_t count = 0;
    auto mine = intervals_.begin();
    auto theirs = other.intervals_.begin();
    while (mine != intervals_.end() && theirs != other.intervals_.end()) {
        const std::int64_t first = std::max(mine->first, theirs->first);
        const std::int64_t last = std::min(mine->second, theirs->second);
        if (first <= last) count += last - first + 1;
        if (mine->second < theirs->second)
            ++mine;
        else
            ++theirs;
    }
    return count;
}

std::string IndexSet::to_string() const {
    std::string text;
    for (const auto& [first, last] : intervals_) {
        if (!text.empty()) text += ',';
        text += std::to_string(first);
        if (last == first) continue;
        text += last == first + 1 ? ',' : '-';
        text += std::to_string(last);
    }
    return text;
}

}  // namespace keelson::control
