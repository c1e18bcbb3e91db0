// What was found out about credentials, kept for a while. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <unordered_map>

#include "kernel/access/authentication.h"
#include "kernel/base/clock.h"

namespace keelson::access {

// The SHA-256 that stands for a credential; the credential itself is never kept.
using CredentialDigest = std::array<std::uint8_t, 32>;

class VerdictCache {
  public:
    // When it is full, the entry that was not asked for the longest gives way.
    explicit VerdictCache(std::size_t limit) : limit_(limit) {}

    // Null when nothing is known, or no more.
    [[nodiscard]] const Authenticator::Answer* find(const CredentialDigest& key, base::MonotonicTime now);
    void put(const CredentialDigest& key, Authenticator::Answer answer, base::MonotonicTime expires);
    void clear();
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        CredentialDigest key;
        Authenticator::Answer answer;
        base::MonotonicTime expires;
    };
    // Any part of a digest is as good as a hash of it.
    struct Hash {
        std::size_t operator()(const CredentialDigest& key) const {
            std::size_t value = 0;
            std::memcpy(&value, key.data(), sizeof value);
            return value;
        }
    };
    using Entries = std::list<Entry>;

    std::size_t limit_;
    Entries entries_;  // the most recently used first
    std::unordered_map<CredentialDigest, Entries::iterator, Hash> index_;
};

}  // namespace keelson::access
