// The journal of durable writes: two preallocated files that are used in turn. A group of writes is one block
// with one checksum, written and synced before any of its writers is told. Private to kernel/store.
//
// What a crash can leave behind is a last group that is torn: it is dropped, nobody was told. A bad group
// that is followed by a good one is no crash but damage, since a group is only written after the one before
// it was synced.
//
// Not thread-safe: the commit thread owns it, except where said.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/files.h"
#include "kernel/store/record.h"

namespace keelson::store {

// The writes of a group in their encoded form.
class JournalGroup {
  public:
    void add(const StoredRecord& record);
    // Says that keys with this prefix have deferred writes, which a crash loses.
    void add_deferred_class(std::string_view prefix);
    [[nodiscard]] bool empty() const { return payload_.empty(); }
    [[nodiscard]] std::size_t size() const { return payload_.size(); }

  private:
    friend class Journal;
    std::string payload_;
};

struct JournalReplay {
    Revision reserved = 0;  // no revision above it has been issued
    std::vector<RecordPointer> records;
    std::vector<std::string> deferred_classes;
};

class Journal {
  public:
    struct Options {
        std::size_t segment_bytes = 16u << 20;
        base::Duration sync_delay = base::Duration::zero();
        std::function<void()> before_sync;
    };

    // Makes the two files, empty, before there is a data file.
    [[nodiscard]] static base::Result<void> create(const std::string& directory, const Options& options);
    // Opens the two files. `store_id` ties them to their data file: files of another one are used anew.
    // `needed`: they may hold what the data file does not, so they must be whole.
    [[nodiscard]] static base::Result<std::unique_ptr<Journal>> open(const std::string& directory,
                                                                     std::uint64_t store_id, bool needed,
                                                                     Options options);
    // Reads what was written after `flushed`. Before the first append. Reason::store_read_error on damage.
    [[nodiscard]] base::Result<JournalReplay> replay(Position flushed);
    // The highest reservation in the files' heads and groups of any store, good or damaged; for restore.
    [[nodiscard]] static Revision highest_reservation(const std::string& directory);

    // Whether append() finds room, perhaps by turning to the other file, whose changes must all be in the
    // data file (at or before `flushed`).
    [[nodiscard]] bool has_room(std::size_t payload_bytes, Position flushed) const;
    // True when the next append of this size leaves a file full of changes and turns to the other one.
    [[nodiscard]] bool will_turn(std::size_t payload_bytes) const;
    // Writes and syncs a group. `last`: the position of its last change; `reserved`: see JournalReplay. After
    // a failure the journal must not be used any more: what is on disk is unknown.
    [[nodiscard]] base::Result<void> append(const JournalGroup& group, Position last, Revision reserved);
    // How many groups were synced. Thread-safe.
    [[nodiscard]] std::uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }

  private:
    struct Segment {
        std::string path;
        base::FileDescriptor file;
        std::uint64_t sequence = 0;      // 0 = never used by this store
        std::uint64_t previous_end = 0;  // where the segment before it ends
        std::size_t end = 0;             // where the next group goes
        Position last = 0;               // of the changes in it
        Position first_group_last = 0;   // of the changes in its first group; only after replay
        bool cut_short = false;          // the file has lost its end
    };

    Journal(std::uint64_t store_id, Options options) : store_id_(store_id), options_(std::move(options)) {}
    [[nodiscard]] base::Result<void> open_segment(Segment& segment, const std::string& path, bool needed);
    [[nodiscard]] base::Result<void> replay_segment(Segment& segment, Position flushed, JournalReplay& replay,
                                                    std::uint64_t required_end);
    [[nodiscard]] base::Result<std::size_t> replay_groups(Segment& segment, std::string_view content,
                                                          Position flushed, JournalReplay& replay,
                                                          std::uint32_t& ordinal);
    [[nodiscard]] std::string encode_head(const Segment& segment) const;
    [[nodiscard]] bool fits(std::size_t payload_bytes) const;

    std::uint64_t store_id_;
    Options options_;
    Segment segments_[2];
    std::size_t active_ = 0;
    bool fresh_ = true;  // nothing appended yet: the next append starts a segment
    std::uint32_t ordinal_ = 0;
    std::string buffer_;
    std::atomic<std::uint64_t> groups_{0};
};

}  // namespace keelson::store
