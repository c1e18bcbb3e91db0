#include "usage.h"

#include <fts.h>
#include <sys/stat.h>

#include <memory>

namespace keelson::oci {
namespace {

constexpr std::int64_t kept_us = 60'000'000;
constexpr int most_entries = 200'000;

std::int64_t count(std::string directory) {
    char* roots[] = {directory.data(), nullptr};
    const std::unique_ptr<FTS, int (*)(FTS*)> walk(
        ::fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, nullptr), ::fts_close);
    std::int64_t bytes = 0;
    for (int seen = 0; walk && seen < most_entries; ++seen) {
        const FTSENT* entry = ::fts_read(walk.get());
        if (entry == nullptr) break;
        const bool counts = entry->fts_info == FTS_D || entry->fts_info == FTS_F || entry->fts_info == FTS_SL;
        if (counts && entry->fts_level > 0) bytes += std::int64_t(entry->fts_statp->st_blocks) * 512;
    }
    return bytes;
}

}  // namespace

std::int64_t UsageCache::bytes(const std::string& directory, std::int64_t now_us) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = counted_.find(directory);
        if (found != counted_.end() && now_us - found->second.at_us < kept_us) return found->second.bytes;
    }
    const std::int64_t bytes = count(directory);
    const std::lock_guard lock(mutex_);
    counted_[directory] = {bytes, now_us};
    return bytes;
}

void UsageCache::forget(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    counted_.erase(directory);
}

}  // namespace keelson::oci
