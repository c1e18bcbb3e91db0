#include "kernel/store/record.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/crc32c.h"

namespace keelson::store {
namespace {

// Little-endian on every machine that Keelson runs on; the data file is not meant to move between byte
// orders.
struct __attribute__((packed)) Head {
    std::uint32_t checksum;
    std::uint8_t kind;
    std::uint8_t transform;
    std::uint16_t key_length;
    std::uint16_t type;
    std::uint16_t stored_version;
    std::uint32_t schema_epoch;
    std::uint32_t revision_offset;
    std::uint32_t metadata_offset;
    std::uint32_t metadata_length;
    std::uint32_t bytes_length;
    std::uint64_t created;
    std::uint64_t previous;
};
static_assert(sizeof(Head) == 48);

std::uint32_t checksum_of(Position position, std::string_view encoded) {
    char seed[sizeof position];
    std::memcpy(seed, &position, sizeof position);
    return base::crc32c(encoded.substr(sizeof(std::uint32_t)), base::crc32c({seed, sizeof seed}));
}

}  // namespace

std::size_t encoded_size(const RecordFields& fields) {
    return sizeof(Head) + fields.key.size() + fields.bytes.size();
}

std::string encode_record(const RecordFields& fields) {
    Head head{};
    head.kind = static_cast<std::uint8_t>(fields.kind);
    head.transform = fields.header.transform;
    head.key_length = static_cast<std::uint16_t>(fields.key.size());
    head.type = fields.header.type;
    head.stored_version = fields.header.stored_version;
    head.schema_epoch = fields.header.schema_epoch;
    head.revision_offset = fields.header.revision_offset;
    head.metadata_offset = fields.header.metadata_offset;
    head.metadata_length = fields.header.metadata_length;
    head.bytes_length = static_cast<std::uint32_t>(fields.bytes.size());
    head.created = fields.created;
    head.previous = fields.previous;
    std::string encoded;
    encoded.reserve(encoded_size(fields));
    encoded.append(reinterpret_cast<const char*>(&head), sizeof head);
    encoded.append(fields.key);
    encoded.append(fields.bytes);
    head.checksum = checksum_of(fields.position, encoded);
    std::memcpy(encoded.data(), &head.checksum, sizeof head.checksum);
    return encoded;
}

std::optional<RecordFields> peek_record(Position position, std::string_view encoded) {
    Head head;
    if (encoded.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, encoded.data(), sizeof head);
    if (encoded.size() != sizeof head + head.key_length + std::size_t{head.bytes_length}) return std::nullopt;
    if (head.kind > static_cast<std::uint8_t>(Event::Kind::removed)) return std::nullopt;
    return RecordFields{.kind = static_cast<Event::Kind>(head.kind),
                        .position = position,
                        .created = head.created,
                        .previous = head.previous,
                        .header = {.type = head.type,
                                   .stored_version = head.stored_version,
                                   .schema_epoch = head.schema_epoch,
                                   .transform = head.transform,
                                   .revision_offset = head.revision_offset,
                                   .metadata_offset = head.metadata_offset,
                                   .metadata_length = head.metadata_length},
                        .key = encoded.substr(sizeof head, head.key_length),
                        .bytes = encoded.substr(sizeof head + head.key_length)};
}

std::optional<RecordFields> decode_record(Position position, std::string_view encoded) {
    auto fields = peek_record(position, encoded);
    if (!fields) return std::nullopt;
    std::uint32_t checksum = 0;
    std::memcpy(&checksum, encoded.data(), sizeof checksum);
    if (checksum != checksum_of(position, encoded)) return std::nullopt;
    return fields;
}

StoredRecord::StoredRecord(const RecordFields& fields) : encoded_(encode_record(fields)), fields_(fields) {
    fields_.key = std::string_view(encoded_).substr(sizeof(Head), fields.key.size());
    fields_.bytes = std::string_view(encoded_).substr(sizeof(Head) + fields.key.size());
}

Event Change::to_event() const {
    Event event{.kind = record->fields().kind,
                .revision = record->fields().modified(),
                .record = record->fields().to_record(),
                .previous = {}};
    if (previous) event.previous = previous->fields().to_record();
    return event;
}

std::optional<base::Status> check_transaction(const Transaction& transaction) {
    const auto& operations = transaction.operations;
    if (operations.empty() || operations.size() > kMaximumOperations) {
        return base::Status(base::Reason::bad_request,
                            "a transaction has 1 to " + std::to_string(kMaximumOperations) +
                                " operations, not " + std::to_string(operations.size()));
    }
    std::size_t bytes = 0;
    std::vector<std::string_view> keys;
    for (const Operation& operation : operations) {
        if (operation.key.empty() || operation.key.size() > kMaximumKeyBytes) {
            return base::Status(base::Reason::bad_request,
                                "the key \"" + operation.key.substr(0, 64) + "\" has " +
                                    std::to_string(operation.key.size()) + " bytes: keys have 1 to " +
                                    std::to_string(kMaximumKeyBytes) + "; use a shorter name");
        }
        if (operation.key.find('\0') != std::string::npos) {
            return base::Status(base::Reason::bad_request, "a key must not contain a zero byte");
        }
        bytes += operation.key.size() + operation.bytes.size();
        keys.push_back(operation.key);
    }
    if (bytes > kMaximumTransactionBytes) {
        return base::Status(base::Reason::request_entity_too_large,
                            "a transaction has at most " + std::to_string(kMaximumTransactionBytes) +
                                " bytes, not " + std::to_string(bytes));
    }
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) {
        return base::Status(base::Reason::bad_request, "a transaction changes each key once, but has \"" +
                                                           std::string(*twice) + "\" twice");
    }
    return std::nullopt;
}

base::Status expired_revision(Revision asked, Revision compacted) {
    return {base::Reason::expired, "the revision " + std::to_string(asked) +
                                       " has been compacted: the oldest one that can be read is " +
                                       std::to_string(compacted) + "; list again"};
}

base::Status future_revision(Revision asked, Revision current) {
    return {base::Reason::timeout,
            "Too large resource version: " + std::to_string(asked) + ", current: " + std::to_string(current)};
}

base::Status store_closed() {
    return {base::Reason::service_unavailable,
            "the store is closed: the server is stopping, try again later"};
}

std::string prefix_end(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
    return end;
}

}  // namespace keelson::store
