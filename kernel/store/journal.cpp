#include "kernel/store/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "kernel/base/crc32c.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

// Groups start at multiples of this: a torn sector never touches an older group.
constexpr std::size_t kAlignment = 512;
constexpr std::uint64_t kSegmentMagic = 0x314c4e52554f4a4bull;  // "KJOURNL1"
constexpr std::uint32_t kGroupMagic = 0x50524b47u;

struct SegmentHead {
    std::uint64_t magic;
    std::uint64_t store_id;
    std::uint64_t sequence;
    std::uint64_t previous_end;
    std::uint32_t capacity;  // the size that the file should have
    std::uint32_t checksum;  // of the fields above
};

struct GroupHead {
    std::uint32_t magic;
    std::uint32_t checksum;  // of the rest of the head and the payload
    std::uint32_t length;    // of the payload
    std::uint32_t ordinal;   // in its segment
    std::uint64_t sequence;  // of its segment: what an earlier use of the file left behind has another one
    std::uint64_t store_id;
    std::uint64_t reserved;
    std::uint64_t last;
};
constexpr std::size_t kChecksumEnd = 8;

constexpr std::size_t align(std::size_t size) {
    return (size + kAlignment - 1) / kAlignment * kAlignment;
}

template <typename T>
std::string_view view_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

void append_entry(std::string& payload, Position position, std::string_view bytes) {
    const auto length = static_cast<std::uint32_t>(bytes.size());
    payload.append(view_of(position));
    payload.append(view_of(length));
    payload.append(bytes);
}

std::optional<SegmentHead> decode_head(std::string_view bytes) {
    SegmentHead head;
    if (bytes.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.magic != kSegmentMagic) return std::nullopt;
    if (head.checksum != base::crc32c(view_of(head).substr(0, offsetof(SegmentHead, checksum))))
        return std::nullopt;
    return head;
}

// The group at the start of bytes, with its payload.
std::optional<std::pair<GroupHead, std::string_view>> decode_group(std::string_view bytes) {
    GroupHead head;
    if (bytes.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.magic != kGroupMagic || head.length > bytes.size() - sizeof head) return std::nullopt;
    const std::string_view covered = bytes.substr(kChecksumEnd, sizeof head - kChecksumEnd + head.length);
    if (head.checksum != base::crc32c(covered)) return std::nullopt;
    return std::pair(head, bytes.substr(sizeof head, head.length));
}

Result<void> sync_file(int descriptor, const std::string& path) {
    if (::fdatasync(descriptor) != 0) return base::system_error("syncing " + path, errno);
    return {};
}

}  // namespace

void JournalGroup::add(const StoredRecord& record) {
    append_entry(payload_, record.fields().position, record.encoded());
}

void JournalGroup::add_deferred_class(std::string_view prefix) {
    append_entry(payload_, 0, prefix);
}

Result<void> Journal::create(const std::string& directory, const Options& options) {
    for (const char* name : {"/journal-0", "/journal-1"}) {
        const std::string path = directory + name;
        KEELSON_TRY(const base::FileDescriptor file, base::open_file(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
        // Space that is there already cannot run out in the midst of a write.
        const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(options.segment_bytes));
        if (code != 0) return base::system_error("making room for " + path, code);
        if (::fsync(file.get()) != 0) return base::system_error("syncing " + path, errno);
    }
    return base::sync_directory(directory);
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& directory, std::uint64_t store_id,
                                               bool needed, Options options) {
    std::unique_ptr<Journal> journal(new Journal(store_id, std::move(options)));
    KEELSON_TRY_VOID(journal->open_segment(journal->segments_[0], directory + "/journal-0", needed));
    KEELSON_TRY_VOID(journal->open_segment(journal->segments_[1], directory + "/journal-1", needed));
    journal->active_ = journal->segments_[1].sequence > journal->segments_[0].sequence ? 1 : 0;
    return journal;
}

Result<void> Journal::open_segment(Segment& segment, const std::string& path, bool needed) {
    segment.path = path;
    KEELSON_TRY(segment.file, base::open_file(path, O_RDWR | (needed ? 0 : O_CREAT), 0600));
    KEELSON_TRY(const std::uint64_t size, base::file_size(segment.file.get(), path));
    if (size < kAlignment && needed) {
        return Status(Reason::store_read_error,
                      path +
                          " is empty although the store was not closed: restore a "
                          "snapshot, or put files of zeros in place of both journal files "
                          "to go on without the last writes");
    }
    char bytes[sizeof(SegmentHead)] = {};
    if (size >= sizeof bytes)
        KEELSON_TRY_VOID(base::read_at(segment.file.get(), bytes, sizeof bytes, 0, path));
    const auto head = decode_head({bytes, sizeof bytes});
    if (head && head->store_id == store_id_) {
        segment.sequence = head->sequence;
        segment.previous_end = head->previous_end;
        segment.cut_short = size < head->capacity;
    }
    if (size < options_.segment_bytes && !segment.cut_short) {
        const int code = ::posix_fallocate(segment.file.get(), 0, static_cast<off_t>(options_.segment_bytes));
        if (code != 0) return base::system_error("making room for " + path, code);
        if (::fsync(segment.file.get()) != 0) return base::system_error("syncing " + path, errno);
    }
    return {};
}

Result<JournalReplay> Journal::replay(Position flushed) {
    JournalReplay replay;
    Segment& newer = segments_[active_];
    Segment& older = segments_[1 - active_];
    JournalReplay newest;
    if (newer.sequence != 0) KEELSON_TRY_VOID(replay_segment(newer, flushed, newest, 0));
    // Positions only rise, so once something of the newer file is flushed nothing of the older one matters.
    const bool older_matters = newer.first_group_last == 0 || flushed < newer.first_group_last;
    const bool linked = older.sequence != 0 && newer.sequence == older.sequence + 1;
    // The newer file knows how far the older one was written when it was left.
    if (linked && older_matters) KEELSON_TRY_VOID(replay_segment(older, flushed, replay, newer.previous_end));
    replay.reserved = std::max(replay.reserved, newest.reserved);
    replay.records.insert(replay.records.end(), newest.records.begin(), newest.records.end());
    replay.deferred_classes.insert(replay.deferred_classes.end(), newest.deferred_classes.begin(),
                                   newest.deferred_classes.end());
    return replay;
}

// Takes in the groups up to the first bad one; returns where that is.
Result<std::size_t> Journal::replay_groups(Segment& segment, std::string_view content, Position flushed,
                                           JournalReplay& replay, std::uint32_t& ordinal) {
    std::size_t at = kAlignment;
    while (at < content.size()) {
        const auto group = decode_group(content.substr(at));
        if (!group || group->first.sequence != segment.sequence || group->first.store_id != store_id_ ||
            group->first.ordinal != ordinal) {
            break;
        }
        replay.reserved = std::max(replay.reserved, group->first.reserved);
        std::string_view payload = group->second;
        while (payload.size() >= 12) {
            Position position = 0;
            std::uint32_t length = 0;
            std::memcpy(&position, payload.data(), 8);
            std::memcpy(&length, payload.data() + 8, 4);
            const std::string_view bytes = payload.substr(12, length);
            payload.remove_prefix(12 + bytes.size());
            if (position == 0) {
                replay.deferred_classes.emplace_back(bytes);
            } else if (position > flushed) {
                const auto fields = decode_record(position, bytes);
                if (!fields) return Status(Reason::store_read_error, segment.path + " holds a bad record");
                replay.records.push_back(std::make_shared<StoredRecord>(*fields));
            }
        }
        if (ordinal == 0) segment.first_group_last = group->first.last;
        segment.last = group->first.last;
        at += align(sizeof(GroupHead) + group->second.size());
        ++ordinal;
    }
    return at;
}

Result<void> Journal::replay_segment(Segment& segment, Position flushed, JournalReplay& replay,
                                     std::uint64_t required_end) {
    KEELSON_TRY(const std::uint64_t size, base::file_size(segment.file.get(), segment.path));
    std::string content(size, '\0');
    KEELSON_TRY_VOID(base::read_at(segment.file.get(), content.data(), content.size(), 0, segment.path));
    const std::string_view view = content;
    std::uint32_t ordinal = 0;
    KEELSON_TRY(const std::size_t end, replay_groups(segment, view, flushed, replay, ordinal));
    segment.end = end;
    bool damaged = end < required_end || segment.cut_short;
    for (std::size_t later = end; !damaged && later + sizeof(GroupHead) <= view.size(); later += kAlignment) {
        const auto group = decode_group(view.substr(later));
        damaged = group && group->first.sequence == segment.sequence && group->first.store_id == store_id_ &&
                  group->first.ordinal > ordinal && group->first.last > flushed;
    }
    if (!damaged) return {};
    return Status(
        Reason::store_read_error,
        segment.path + " is damaged at byte " + std::to_string(end) +
            " and acknowledged writes behind it cannot be read: restore a snapshot, or write zeros over both "
            "journal files to go on without the writes after revision " +
            std::to_string(std::max(revision_of(flushed), revision_of(segment.last))));
}

Revision Journal::highest_reservation(const std::string& directory) {
    Revision highest = 0;
    for (const char* name : {"/journal-0", "/journal-1"}) {
        const auto content = base::read_file(directory + name, 1u << 30);
        if (!content) continue;
        for (std::size_t at = kAlignment; at + sizeof(GroupHead) <= content->size(); at += kAlignment) {
            const auto group = decode_group(std::string_view(*content).substr(at));
            if (group) highest = std::max(highest, group->first.reserved);
        }
    }
    return highest;
}

bool Journal::fits(std::size_t payload_bytes) const {
    return !fresh_ &&
           segments_[active_].end + align(sizeof(GroupHead) + payload_bytes) <= options_.segment_bytes;
}

bool Journal::will_turn(std::size_t payload_bytes) const {
    return !fresh_ && !fits(payload_bytes);
}

bool Journal::has_room(std::size_t payload_bytes, Position flushed) const {
    if (kAlignment + align(sizeof(GroupHead) + payload_bytes) > options_.segment_bytes) return false;
    return fits(payload_bytes) || segments_[1 - active_].last <= flushed;
}

std::string Journal::encode_head(const Segment& segment) const {
    SegmentHead head{.magic = kSegmentMagic,
                     .store_id = store_id_,
                     .sequence = segment.sequence,
                     .previous_end = segment.previous_end,
                     .capacity = static_cast<std::uint32_t>(options_.segment_bytes),
                     .checksum = 0};
    head.checksum = base::crc32c(view_of(head).substr(0, offsetof(SegmentHead, checksum)));
    std::string encoded(view_of(head));
    encoded.resize(kAlignment, '\0');
    return encoded;
}

Result<void> Journal::append(const JournalGroup& group, Position last, Revision reserved) {
    buffer_.clear();
    const bool turn = !fits(group.size());
    if (turn) {
        const Segment& left = segments_[active_];
        Segment& next = segments_[1 - active_];
        next.sequence = left.sequence + 1;
        next.previous_end = fresh_ ? 0 : left.end;
        next.end = kAlignment;
        active_ = 1 - active_;
        ordinal_ = 0;
        fresh_ = false;
        buffer_ = encode_head(next);
    }
    Segment& segment = segments_[active_];
    GroupHead head{.magic = kGroupMagic,
                   .checksum = 0,
                   .length = static_cast<std::uint32_t>(group.size()),
                   .ordinal = ordinal_,
                   .sequence = segment.sequence,
                   .store_id = store_id_,
                   .reserved = reserved,
                   .last = last};
    head.checksum = base::crc32c(group.payload_, base::crc32c(view_of(head).substr(kChecksumEnd)));
    buffer_.append(view_of(head));
    buffer_.append(group.payload_);
    buffer_.resize(align(buffer_.size()), '\0');
    const std::uint64_t offset = turn ? 0 : segment.end;
    KEELSON_TRY_VOID(base::write_at(segment.file.get(), buffer_, offset, segment.path));
    if (options_.before_sync) options_.before_sync();
    if (options_.sync_delay > base::Duration::zero()) std::this_thread::sleep_for(options_.sync_delay);
    KEELSON_TRY_VOID(sync_file(segment.file.get(), segment.path));
    segment.end = offset + buffer_.size();
    segment.last = last;
    ++ordinal_;
    groups_.fetch_add(1, std::memory_order_relaxed);
    // A large group must not keep its memory for good.
    if (buffer_.capacity() > (1u << 20)) buffer_ = {};
    return {};
}

}  // namespace keelson::store
