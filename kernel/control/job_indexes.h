// Sets of completion indexes, as the status of an Indexed Job tells them: "0-2,4,6,7".
// Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace keelson::control {

class IndexSet {
  public:
    // What is no index, or not below the limit, is left out.
    [[nodiscard]] static IndexSet parse(std::string_view text, std::int64_t limit);

    void add(std::int64_t index) { add(index, index); }
    [[nodiscard]] bool has(std::int64_t index) const;
    [[nodiscard]] std::int64_t size() const { return size_; }
    [[nodiscard]] std::int64_t count_common(const IndexSet& other) const;
    // Three and more in a row as "first-last".
    [[nodiscard]] std::string to_string() const;

  private:
    void add(std::int64_t first, std::int64_t last);

    std::map<std::int64_t, std::int64_t> intervals_;  // first to last; neither touching nor overlapping
    std::int64_t size_ = 0;
};

}  // namespace keelson::control
