#include "kernel/access/verdict_cache.h"

namespace keelson::access {

const Authenticator::Answer* VerdictCache::find(const base::Sha256Digest& key, base::MonotonicTime now) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    const Entries::iterator entry = found->second;
    if (entry->expires <= now) {
        index_.erase(found);
        entries_.erase(entry);
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return &entry->answer;
}

void VerdictCache::put(const base::Sha256Digest& key, Authenticator::Answer answer,
                       base::MonotonicTime expires) {
    if (limit_ == 0) return;
    if (const auto found = index_.find(key); found != index_.end()) {
        found->second->answer = std::move(answer);
        found->second->expires = expires;
        entries_.splice(entries_.begin(), entries_, found->second);
        return;
    }
    if (entries_.size() >= limit_) {
        index_.erase(entries_.back().key);
        entries_.pop_back();
    }
    entries_.push_front({key, std::move(answer), expires});
    index_.emplace(key, entries_.begin());
}

void VerdictCache::clear() {
    index_.clear();
    entries_.clear();
}

}  // namespace keelson::access
