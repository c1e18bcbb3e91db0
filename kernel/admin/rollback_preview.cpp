#include "kernel/admin/rollback_preview.h"

#include <deque>

namespace keelson::admin {
namespace {

using base::Result;
using store::Record;
using store::Revision;

struct Entry {
    std::string key;
    Revision modified = 0;
};

// The keys of one revision in order, a page at a time.
class Keys {
  public:
    Keys(const store::Store& store, const std::string& prefix, Revision revision)
        : store_(store), request_{.prefix = prefix, .start = {}, .revision = revision} {}

    // Null at the end.
    Result<const Entry*> front() {
        while (page_.empty() && !is_last_) {
            KEELSON_TRY(store::ScanResult read, store_.scan(request_, [this](const Record& record) {
                page_.push_back({std::string(record.key), record.modified});
                return true;
            }));
            is_last_ = !read.more;
            request_.start = std::move(read.next_key);
        }
        return page_.empty() ? nullptr : &page_.front();
    }
    void pop() { page_.pop_front(); }

  private:
    const store::Store& store_;
    store::ScanRequest request_;
    std::deque<Entry> page_;
    bool is_last_ = false;
};

void note(RollbackPreview& preview, const std::string& key, std::string_view change, std::uint64_t& count) {
    ++count;
    if (preview.changes.size() < preview_keys)
        preview.changes.push_back({key, change});
    else
        preview.is_truncated = true;
}

// A key that was written since may hold what it held then.
Result<bool> is_different(const store::Store& store, const std::string& key, Revision then, Revision now) {
    KEELSON_TRY(const auto before, store.get(key, then));
    KEELSON_TRY(const auto after, store.get(key, now));
    return !before || !after || before->bytes != after->bytes || !(before->header == after->header);
}

}  // namespace

Result<RollbackPreview> preview_rollback(store::Store& store, const std::string& prefix, Revision revision) {
    RollbackPreview preview;
    preview.current = store.current();
    store.hold(revision, std::chrono::minutes(10));
    Keys then(store, prefix, revision);
    Keys now(store, prefix, preview.current);
    while (true) {
        KEELSON_TRY(const Entry* old, then.front());
        KEELSON_TRY(const Entry* present, now.front());
        if (old == nullptr && present == nullptr) return preview;
        const bool only_old = present == nullptr || (old != nullptr && old->key < present->key);
        const bool only_present = old == nullptr || (present != nullptr && present->key < old->key);
        if (only_old) {
            note(preview, old->key, "create", preview.created);
        } else if (only_present) {
            note(preview, present->key, "remove", preview.removed);
        } else if (old->modified != present->modified) {
            KEELSON_TRY(const bool different, is_different(store, old->key, revision, preview.current));
            if (different) note(preview, old->key, "update", preview.updated);
        }
        if (!only_present) then.pop();
        if (!only_old) now.pop();
    }
}

}  // namespace keelson::admin
