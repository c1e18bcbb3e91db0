#include "kernel/store/rollback.h"

#include <map>

#include "kernel/store/record.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

constexpr std::size_t kChunkBytes = 1u << 20;
constexpr int kMaximumTries = 16;

// The modified revision of every key below the prefix.
Result<std::map<std::string, Revision>> revisions_at(const Store& store, const std::string& prefix,
                                                     Revision revision) {
    std::map<std::string, Revision> revisions;
    ScanRequest request{.prefix = prefix, .start = {}, .revision = revision};
    while (true) {
        KEELSON_TRY(ScanResult page, store.scan(request, [&](const Record& record) {
            revisions.emplace(record.key, record.modified);
            return true;
        }));
        if (!page.more) return revisions;
        request.start = std::move(page.next_key);
    }
}

// The write that brings one key back, or nullopt when it is as it was.
Result<std::optional<Operation>> make_operation(const Store& store, const std::string& key,
                                                Revision revision) {
    KEELSON_TRY(auto then, store.get(key, revision));
    auto now = store.get(key);
    // A damaged value can still be replaced by what it was before.
    if (!now && (now.error().reason() != Reason::store_read_error || !then)) return now.error();
    Operation operation{.key = key};
    if (!now) {
        operation.bytes = std::move(then->bytes);
        operation.header = then->header;
        return operation;
    }
    const bool same = now->has_value() == then.has_value() &&
                      (!then || ((*now)->bytes == then->bytes && (*now)->header == then->header));
    if (same) return std::nullopt;
    operation.expected = now->has_value() ? (*now)->modified : 0;
    operation.kind = then ? Operation::Kind::put : Operation::Kind::remove;
    operation.bytes = std::move(then ? then->bytes : (*now)->bytes);
    operation.header = then ? then->header : (*now)->header;
    return operation;
}

}  // namespace

Task<Result<Revision>> rollback_by_writes(Store& store, std::string prefix, Revision revision) {
    store.hold(revision, std::chrono::minutes(10));
    KEELSON_CO_TRY(const auto then, revisions_at(store, prefix, revision));
    KEELSON_CO_TRY(const auto now, revisions_at(store, prefix, 0));
    std::vector<std::string> changed;
    for (const auto& [key, modified] : then) {
        const auto found = now.find(key);
        if (found == now.end() || found->second != modified) changed.push_back(key);
    }
    for (const auto& [key, modified] : now) {
        if (!then.contains(key)) changed.push_back(key);
    }
    Revision last = store.current();
    std::size_t next = 0;
    int tries = 0;
    while (next < changed.size()) {
        Transaction transaction;
        std::size_t end = next;
        std::size_t bytes = 0;
        while (end < changed.size() && transaction.operations.size() < kMaximumOperations &&
               bytes < kChunkBytes) {
            KEELSON_CO_TRY(auto operation, make_operation(store, changed[end++], revision));
            if (!operation) continue;
            bytes += operation->bytes.size();
            transaction.operations.push_back(std::move(*operation));
        }
        if (transaction.operations.empty()) {
            next = end;
            continue;
        }
        KEELSON_CO_TRY(const CommitResult result, co_await store.commit(std::move(transaction)));
        if (result.conflict) {
            if (++tries < kMaximumTries) continue;
            co_return Status(Reason::conflict, "the objects below \"" + prefix +
                                                   "\" change faster than they can be rolled back: stop "
                                                   "their writers and try again");
        }
        tries = 0;
        last = result.revision;
        next = end;
    }
    co_return last;
}

}  // namespace keelson::store
