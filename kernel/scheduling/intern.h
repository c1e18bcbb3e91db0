// Intern<T>: equal values share one object as long as somebody holds it. Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>

namespace keelson::scheduling {

// Hash gives a std::size_t for a T; equal values have equal hashes.
template <typename T, typename Hash>
class Intern {
  public:
    std::shared_ptr<T> get(T value) {
        const std::size_t hash = Hash()(value);
        auto [at, end] = known_.equal_range(hash);
        for (; at != end; ++at) {
            std::shared_ptr<T> alive = at->second.lock();
            if (alive && *alive == value) return alive;
        }
        if (known_.size() >= sweep_at_) sweep();
        auto made = std::make_shared<T>(std::move(value));
        known_.emplace(hash, made);
        return made;
    }
    // Including those that nobody holds any more and that the next sweep forgets.
    [[nodiscard]] std::size_t size() const { return known_.size(); }

  private:
    // Twice what is alive before the next sweep, so that sweeping costs a constant share.
    void sweep() {
        std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
        sweep_at_ = known_.size() * 2 + 64;
    }

    std::unordered_multimap<std::size_t, std::weak_ptr<T>> known_;
    std::size_t sweep_at_ = 64;
};

inline std::size_t mix(std::size_t hash, std::size_t more) {
    return (hash ^ more) * 0x9E3779B97F4A7C15ULL + (hash >> 29);
}

}  // namespace keelson::scheduling
