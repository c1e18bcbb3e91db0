// What was found out about credentials, kept for a while. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstring>
#include <list>
#include <unordered_map>

#include "kernel/access/authentication.h"
#include "kernel/base/clock.h"
#include "kernel/base/sha256.h"

namespace keelson::access {

// By the sum that stands for a credential; the credential itself is never kept.
class VerdictCache {
  public:
    // When it is full, the entry that was not asked for the longest gives way.
    explicit VerdictCache(std::size_t limit) : limit_(limit) {}

    // Null when nothing is known, or no more.
    [[nodiscard]] const Authenticator::Answer* find(const base::Sha256Digest& key, base::MonotonicTime now);
    void put(const base::Sha256Digest& key, Authenticator::Answer answer, base::MonotonicTime expires);
    void clear();
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        base::Sha256Digest key;
        Authenticator::Answer answer;
        base::MonotonicTime expires;
    };
    // Any part of a digest is as good as a hash of it.
    struct Hash {
        std::size_t operator()(const base::Sha256Digest& key) const {
            std::size_t value = 0;
            std::memcpy(&value, key.data(), sizeof value);
            return value;
        }
    };
    using Entries = std::list<Entry>;

    std::size_t limit_;
    Entries entries_;  // the most recently used first
    std::unordered_map<base::Sha256Digest, Entries::iterator, Hash> index_;
};

}  // namespace keelson::access
