// The store: revisioned keys and values with transactions, reads at past revisions, and watches. The model is
// etcd's: every write gets the next revision, a reader may ask for any revision that has not been compacted,
// a watch starts at a revision and sees every change after it exactly once and in order.
//
// Keys are paths without a leading slash, `<group>/<resource>/<namespace>/<name>` ("core" for the empty
// group, no namespace part for cluster-scoped ones); the store only relies on byte order and prefixes. Values
// are a Header plus opaque bytes (JSON by convention). All revisions are positive; 0 means "none" or "now".
//
// Everything here is thread-safe. Reads run on the calling thread and do not block on writers; commit() is
// asynchronous and resolves when the write is durable (see Durability).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::store {

using Revision = std::uint64_t;

// What the store knows of a value beside its bytes. Written by kernel/resource, kept and returned as it is.
struct Header {
    std::uint16_t type = 0;             // number of the stored type in the schema registry
    std::uint16_t stored_version = 0;   // index of the stored API version of that type
    std::uint32_t schema_epoch = 0;     // values of an older epoch are converted when read
    std::uint8_t transform = 0;         // 0 = plain; encryption later
    std::uint32_t revision_offset = 0;  // where in the bytes the resourceVersion text is to be spliced in
    std::uint32_t metadata_offset = 0;  // span of the `metadata` JSON object in the bytes
    std::uint32_t metadata_length = 0;
    bool operator==(const Header&) const = default;
};

// A stored value as a reader sees it. The views are valid only inside the visitor or until the owner goes.
struct Record {
    std::string_view key;
    std::string_view bytes;
    Header header;
    Revision created = 0;   // revision that created the key
    Revision modified = 0;  // revision of this value: the object's resourceVersion
};

// A Record that owns its memory.
struct OwnedRecord {
    std::string key;
    std::string bytes;
    Header header;
    Revision created = 0;
    Revision modified = 0;
};

// durable: acknowledged after the data is on disk. deferred: acknowledged at once, kept in bounded memory and
// written rarely (Events, Lease renewals); lost at most since the last flush on a crash.
enum class Durability : std::uint8_t { durable, deferred };

// One change of a transaction. `expected`: nullopt = whatever is there; 0 = the key must not exist; otherwise
// its modified revision must be this. A check without a change has `kind` check.
struct Operation {
    enum class Kind : std::uint8_t { put, remove, check };
    Kind kind = Kind::put;
    std::string key;
    std::optional<Revision> expected;
    std::string
        bytes;  // put: the value; remove: the last state of the object, delivered with the DELETED event
    Header header;
};

struct Transaction {
    std::vector<Operation>
        operations;  // at most 128, each key at most once; applied all or none, one revision
    Durability durability = Durability::durable;
};

// Why a transaction was not applied: the operation whose expectation did not hold, and what is there instead.
struct Conflict {
    std::size_t operation = 0;
    std::optional<OwnedRecord> current;  // nullopt: the key does not exist
};

// Either a revision (applied) or a Conflict (nothing applied).
struct CommitResult {
    Revision revision = 0;
    std::optional<Conflict> conflict;
};

// One change, as watchers see it. For `removed`, `bytes` are the last state given with the removal.
// `previous` is the value before the change (empty key when there was none); its bytes may be empty when
// compaction has taken them, never while the event itself is readable.
struct Event {
    enum class Kind : std::uint8_t { created, updated, removed };
    Kind kind = Kind::created;
    Revision revision = 0;
    Record record;
    Record previous;
};

struct ScanRequest {
    std::string prefix;     // keys that begin with this
    std::string start;      // first key at or after this; empty = the prefix's first
    Revision revision = 0;  // 0 = now
    std::size_t limit_bytes = std::size_t{256} << 10;  // the scan stops after the record that crosses this
};

struct ScanResult {
    Revision revision = 0;  // the revision that the scan read
    bool more = false;      // stopped by limit_bytes or by the visitor; continue at next_key
    std::string next_key;   // where to continue with the same revision
};

// A cursor over changes below a prefix. Not thread-safe itself; the notification comes from a store thread.
class Watch {
  public:
    virtual ~Watch() = default;
    // Calls visit for events after the cursor in order, at most limit of them, and moves the cursor.
    // Returns how many it delivered; 0 = nothing new. Fails with Reason::expired when the cursor fell behind
    // the compacted revision (the caller sends 410 and closes).
    virtual base::Result<std::size_t> poll(std::size_t limit,
                                           const std::function<void(const Event&)>& visit) = 0;
    // Everything up to this revision has been delivered or does not concern this watch. For bookmarks.
    [[nodiscard]] virtual Revision progress() const = 0;
    // Calls notify once, soon after the next event that poll() would deliver (at once when there is one
    // already). notify must be short and must not call back into the store; it typically posts to an
    // executor.
    virtual void arm(base::Callback notify) = 0;
};

struct Statistics {
    Revision current = 0;
    Revision compacted = 0;
    std::uint64_t keys = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t commits = 0;   // transactions applied since start
    std::uint64_t groups = 0;    // durable groups written since start
    std::uint64_t deferred = 0;  // changes waiting in memory
    bool read_only = false;      // full disk: only removals are accepted
};

class Store {
  public:
    virtual ~Store() = default;

    // The latest revision that readers see. Never goes back, also across restarts.
    [[nodiscard]] virtual Revision current() const = 0;
    [[nodiscard]] virtual Revision compacted() const = 0;

    // The value of a key now, or at a past revision. nullopt: no such key then. Fails with Reason::expired
    // below the compacted revision, Reason::store_read_error (naming the key) when the value is damaged.
    [[nodiscard]] virtual base::Result<std::optional<OwnedRecord>> get(std::string_view key,
                                                                       Revision at = 0) const = 0;

    // Visits records in key order. The visitor returns false to stop before the next record. It runs inside a
    // read transaction: it must copy what it keeps and must not wait for anything.
    [[nodiscard]] virtual base::Result<ScanResult> scan(
        const ScanRequest& request, const std::function<bool(const Record&)>& visit) const = 0;
    // How many keys begin with prefix, now or at a past revision, from `start` on.
    [[nodiscard]] virtual base::Result<std::uint64_t> count(std::string_view prefix,
                                                            std::string_view start = {},
                                                            Revision at = 0) const = 0;

    // Applies a transaction. Fails (Status) only when it could not be tried: disk full, store closing, bad
    // request.
    [[nodiscard]] virtual base::Task<base::Result<CommitResult>> commit(Transaction transaction) = 0;

    // Changes below prefix with a revision greater than `after`. Reason::expired when `after` is compacted.
    [[nodiscard]] virtual base::Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision after) = 0;

    // Returns when reads on this node see everything committed before the call (at once for local engines).
    [[nodiscard]] virtual base::Task<base::Result<void>> read_barrier() = 0;

    // Forgets versions and events that no reader at or above `revision` needs. Holds (below) keep it back for
    // a bounded time.
    [[nodiscard]] virtual base::Task<base::Result<void>> compact(Revision revision) = 0;
    // Keeps versions from `revision` on readable for a while (a paged list in progress); extends an existing
    // hold.
    virtual void hold(Revision revision, base::Duration duration) = 0;

    // Writes deferred changes out now.
    [[nodiscard]] virtual base::Task<base::Result<void>> flush() = 0;
    // A consistent copy of the whole store into a new file while it runs. Fails when the file exists.
    [[nodiscard]] virtual base::Task<base::Result<Revision>> snapshot(std::string path) = 0;
    // Forward writes that bring keys below prefix back to their state at `revision`. Returns the new
    // revision.
    [[nodiscard]] virtual base::Task<base::Result<Revision>> rollback(std::string prefix,
                                                                      Revision revision) = 0;

    [[nodiscard]] virtual Statistics statistics() const = 0;
    // Flushes and stops; later calls fail with Reason::service_unavailable. Blocks until done.
    virtual void close() = 0;
};

}  // namespace keelson::store
