#include "kernel/object/protobuf.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "kernel/base/base64.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"

namespace keelson::object {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::string_view kMagic("k8s\0", 4);
constexpr int kDepthLimit = 200;

enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

void put_varint(std::uint64_t value, std::string& out) {
    while (value >= 0x80) {
        out += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    out += static_cast<char>(value);
}

void put_tag(std::uint32_t number, Wire wire, std::string& out) {
    put_varint(number << 3 | static_cast<std::uint32_t>(wire), out);
}

void put_bytes(std::uint32_t number, std::string_view bytes, std::string& out) {
    put_tag(number, Wire::length, out);
    put_varint(bytes.size(), out);
    out += bytes;
}

void put_integer(std::uint32_t number, std::int64_t value, std::string& out) {
    put_tag(number, Wire::varint, out);
    put_varint(static_cast<std::uint64_t>(value), out);
}

Status malformed(std::string_view why) {
    return Status(Reason::bad_request, "the protobuf body is malformed: " + std::string(why));
}

// --- encoding ---

std::string encode_special(const Type& type, Value value);

void encode_time(Value value, bool micro, std::string& out) {
    if (!value.is_string()) return;
    auto instant = parse_time(value.as_string());
    if (!instant) return;
    put_integer(1, instant->seconds, out);
    put_integer(2, micro ? instant->nanoseconds : 0, out);
}

// The message of a type with a JSON form of its own.
std::string encode_special(const Type& type, Value value) {
    std::string out;
    switch (type.shape) {
        case Shape::quantity:
            put_bytes(1, value.as_string(), out);
            break;
        case Shape::int_or_string:
            put_integer(1, value.is_string() ? 1 : 0, out);
            put_integer(2, value.is_string() ? 0 : value.as_integer(), out);
            put_bytes(3, value.as_string(), out);
            break;
        case Shape::time:
        case Shape::micro_time:
            encode_time(value, type.shape == Shape::micro_time, out);
            break;
        case Shape::duration:
            if (auto nanoseconds = parse_duration(value.as_string())) put_integer(1, *nanoseconds, out);
            break;
        default:
            if (value.is_set()) put_bytes(1, to_json(value), out);
            break;
    }
    return out;
}

void encode_single(const Type& type, std::uint32_t number, Value value, std::string& out) {
    switch (type.shape) {
        case Shape::boolean:
            return put_integer(number, value.as_boolean() ? 1 : 0, out);
        case Shape::int32:
        case Shape::int64:
            return put_integer(number, value.as_integer(), out);
        case Shape::float64: {
            put_tag(number, Wire::fixed64, out);
            auto bits = std::bit_cast<std::uint64_t>(value.as_real());
            for (int i = 0; i < 8; ++i) out += static_cast<char>(bits >> (8 * i));
            return;
        }
        case Shape::string:
            return put_bytes(number, value.as_string(), out);
        case Shape::bytes: {
            auto decoded = base::base64_decode(value.as_string());
            return put_bytes(number, decoded ? *decoded : std::string(), out);
        }
        case Shape::structure: {
            std::string inner;
            encode_message(type, value, inner);
            return put_bytes(number, inner, out);
        }
        case Shape::list: {
            // A list inside a list or map: a message whose field 1 repeats.
            std::string inner;
            for (Value item : value.items()) encode_single(*type.element, 1, item, inner);
            return put_bytes(number, inner, out);
        }
        default:
            return put_bytes(number, encode_special(type, value), out);
    }
}

void encode_map(const Type& type, std::uint32_t number, Value value, std::string& out) {
    std::vector<Member> entries(value.members().begin(), value.members().end());
    std::ranges::sort(entries, {}, &Member::name);
    for (const Member& entry : entries) {
        std::string inner;
        put_bytes(1, entry.name, inner);
        encode_single(*type.element, 2, entry.value, inner);
        put_bytes(number, inner, out);
    }
}

void encode_field(const Field& field, Value value, std::string& out) {
    const Type& type = *field.type;
    if (type.shape == Shape::list) {
        for (Value item : value.items()) encode_single(*type.element, field.proto_number, item, out);
        return;
    }
    if (type.shape == Shape::map) return encode_map(type, field.proto_number, value, out);
    if (value.is_unset()) {
        // Fields that Go cannot leave unset are written with their zero value.
        bool written = !field.has(Field::pointer) && type.shape != Shape::bytes;
        if (!written) return;
    }
    encode_single(type, field.proto_number, value, out);
}

// Fields are written by ascending number; those of an embedded message go into it.
void encode_level(const Type& type, Value value, std::size_t depth, std::uint32_t outer, std::string& out) {
    std::map<std::uint32_t, std::string> pieces;
    std::map<std::uint32_t, bool> embedded;
    for (const Field& field : type.fields) {
        if (field.proto_number == 0) continue;
        std::uint32_t here = depth < 2 ? field.inline_numbers[depth] : 0;
        if (depth == 1 && field.inline_numbers[0] != outer) continue;
        if (here != 0) {
            embedded[here] = true;
            continue;
        }
        if (depth == 2 && field.inline_numbers[1] != outer) continue;
        encode_field(field, value[field.name], pieces[field.proto_number]);
    }
    for (auto& [number, unused] : embedded) {
        std::string inner;
        encode_level(type, value, depth + 1, number, inner);
        put_bytes(number, inner, pieces[number]);
    }
    for (const auto& [number, bytes] : pieces) out += bytes;
}

// --- decoding ---

class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] bool done() const { return rest_.empty(); }
    [[nodiscard]] bool failed() const { return failed_; }

    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) break;
            auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return value;
        }
        failed_ = true;
        rest_ = {};
        return 0;
    }

    std::string_view bytes(std::size_t size) {
        if (size > rest_.size()) {
            failed_ = true;
            rest_ = {};
            return {};
        }
        std::string_view result = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return result;
    }

  private:
    std::string_view rest_;
    bool failed_ = false;
};

// One field as it stands on the wire.
struct WireField {
    std::uint32_t number = 0;
    Wire wire = Wire::varint;
    std::uint64_t integer = 0;
    std::string_view bytes;
};

bool next_field(Reader& reader, WireField& field) {
    std::uint64_t tag = reader.varint();
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.wire = static_cast<Wire>(tag & 7);
    switch (field.wire) {
        case Wire::varint:
            field.integer = reader.varint();
            break;
        case Wire::fixed64:
            field.bytes = reader.bytes(8);
            break;
        case Wire::length:
            field.bytes = reader.bytes(reader.varint());
            break;
        case Wire::fixed32:
            field.bytes = reader.bytes(4);
            break;
        default:
            return false;
    }
    return !reader.failed() && field.number != 0;
}

class Decoder {
  public:
    explicit Decoder(Arena& arena) : arena_(arena) {}

    Result<Value> message(const Type& type, std::string_view bytes, int depth) {
        Value result = Value::map(arena_);
        KEELSON_TRY_VOID(read_level(type, bytes, 0, 0, result, depth));
        return result;
    }

  private:
    Result<void> read_level(const Type& type, std::string_view bytes, std::size_t level, std::uint32_t outer,
                            Value into, int depth) {
        if (depth > kDepthLimit) return malformed("it is nested too deeply");
        Reader reader(bytes);
        while (!reader.done()) {
            WireField wire;
            if (!next_field(reader, wire)) return malformed("a field is cut short or has an unknown form");
            bool embedded = false;
            const Field* field = find(type, level, outer, wire.number, embedded);
            if (embedded) {
                KEELSON_TRY_VOID(read_level(type, wire.bytes, level + 1, wire.number, into, depth + 1));
            } else if (field) {
                KEELSON_TRY_VOID(read_field(*field, wire, into, depth));
            }
        }
        return base::ok();
    }

    static const Field* find(const Type& type, std::size_t level, std::uint32_t outer, std::uint32_t number,
                             bool& embedded) {
        for (const Field& field : type.fields) {
            if (level >= 1 && field.inline_numbers[level - 1] != outer) continue;
            std::uint32_t inner = level < 2 ? field.inline_numbers[level] : 0;
            if (inner != 0) {
                if (inner == number) embedded = true;
            } else if (field.proto_number == number) {
                return &field;
            }
        }
        return nullptr;
    }

    Result<void> read_field(const Field& field, const WireField& wire, Value into, int depth) {
        const Type& type = *field.type;
        if (type.shape == Shape::list) {
            Value list = into[field.name];
            if (!list.is_list()) {
                list = Value::list(arena_);
                into.set(arena_, field.name, list);
            }
            KEELSON_TRY(Value item, single(*type.element, wire, depth));
            list.push_back(arena_, item);
            return base::ok();
        }
        if (type.shape == Shape::map)
            return read_map_entry(type, wire, into.child_map(arena_, field.name), depth);
        KEELSON_TRY(Value value, single(type, wire, depth));
        into.set(arena_, field.name, value);
        return base::ok();
    }

    Result<void> read_map_entry(const Type& type, const WireField& wire, Value map, int depth) {
        Reader reader(wire.bytes);
        std::string_view key;
        WireField value;
        while (!reader.done()) {
            WireField part;
            if (!next_field(reader, part)) return malformed("a map entry is cut short");
            if (part.number == 1) key = part.bytes;
            if (part.number == 2) value = part;
        }
        if (value.number == 0) value.wire = Wire::length;
        KEELSON_TRY(Value decoded, single(*type.element, value, depth));
        map.set(arena_, arena_.copy(valid_text(key)), decoded);
        return base::ok();
    }

    Result<Value> single(const Type& type, const WireField& wire, int depth) {
        switch (type.shape) {
            case Shape::boolean:
                return Value::boolean(wire.integer != 0);
            case Shape::int32:
                return Value::integer(static_cast<std::int32_t>(wire.integer));
            case Shape::int64:
                return Value::integer(static_cast<std::int64_t>(wire.integer));
            case Shape::float64: {
                std::uint64_t bits = 0;
                if (wire.bytes.size() == 8) std::memcpy(&bits, wire.bytes.data(), 8);
                auto number = std::bit_cast<double>(bits);
                // JSON has no form for the others.
                if (!std::isfinite(number)) return malformed("a number is infinite or none");
                return Value::real(number);
            }
            case Shape::string:
                return Value::string(arena_, valid_text(wire.bytes));
            case Shape::bytes:
                return Value::string(arena_, base::base64_encode(wire.bytes));
            case Shape::structure:
                return message(type, wire.bytes, depth + 1);
            case Shape::list:
                return nested_list(type, wire.bytes, depth);
            default:
                return special(type, wire.bytes);
        }
    }

    // Protobuf strings are UTF-8; what is not would break the JSON that is stored.
    std::string valid_text(std::string_view bytes) {
        bool ascii = std::ranges::all_of(bytes, [](unsigned char c) { return c < 0x80; });
        if (ascii) return std::string(bytes);
        std::string quoted;
        write_json_string(bytes, quoted);
        Arena scratch;
        auto value = parse_json(quoted, scratch);
        return value ? value->to_string() : std::string();
    }

    Result<Value> nested_list(const Type& type, std::string_view bytes, int depth) {
        Value list = Value::list(arena_);
        Reader reader(bytes);
        while (!reader.done()) {
            WireField part;
            if (!next_field(reader, part)) return malformed("a nested list is cut short");
            if (part.number != 1) continue;
            KEELSON_TRY(Value item, single(*type.element, part, depth + 1));
            list.push_back(arena_, item);
        }
        return list;
    }

    Result<Value> special(const Type& type, std::string_view bytes) {
        std::int64_t integers[3] = {0, 0, 0};
        std::string_view texts[4];
        Reader reader(bytes);
        bool empty = reader.done();
        while (!reader.done()) {
            WireField part;
            if (!next_field(reader, part)) return malformed("a value is cut short");
            if (part.wire == Wire::varint && part.number < 3)
                integers[part.number] = static_cast<std::int64_t>(part.integer);
            if (part.wire == Wire::length && part.number < 4) texts[part.number] = part.bytes;
        }
        switch (type.shape) {
            case Shape::quantity:
                return Value::string(arena_, valid_text(texts[1]));
            case Shape::int_or_string:
                if (integers[1] == 1) return Value::string(arena_, valid_text(texts[3]));
                return Value::integer(static_cast<std::int32_t>(integers[2]));
            case Shape::time:
            case Shape::micro_time: {
                if (empty) return Value::null();
                bool micro = type.shape == Shape::micro_time;
                Instant instant{integers[1], micro ? static_cast<std::int32_t>(integers[2]) : 0};
                if (!has_time_text(instant)) return malformed("a time is out of range");
                return Value::string(arena_, micro ? format_micro_time(instant) : format_time(instant));
            }
            case Shape::duration:
                return Value::string(arena_, format_duration(integers[1]));
            default: {
                if (texts[1].empty()) return Value::null();
                auto value = parse_json_copy(texts[1], arena_);
                if (!value) return malformed("embedded JSON: " + value.error().message());
                return *value;
            }
        }
    }

    Arena& arena_;
};

}  // namespace

void encode_message(const Type& type, Value value, std::string& out) {
    encode_level(type, value, 0, 0, out);
}

Result<Value> decode_message(const Type& type, std::string_view bytes, Arena& arena) {
    return Decoder(arena).message(type, bytes, 0);
}

void wrap_message(std::string_view api_version, std::string_view kind, std::string_view message,
                  std::string& out) {
    out += kMagic;
    std::string type_meta;
    put_bytes(1, api_version, type_meta);
    put_bytes(2, kind, type_meta);
    put_bytes(1, type_meta, out);
    put_bytes(2, message, out);
    put_bytes(3, "", out);
    put_bytes(4, "", out);
}

std::string watch_event_message(std::string_view type, std::string_view wrapped_object) {
    std::string raw, event;
    put_bytes(1, wrapped_object, raw);
    put_bytes(1, type, event);
    put_bytes(2, raw, event);
    return event;
}

Result<Envelope> unwrap_message(std::string_view bytes) {
    if (!bytes.starts_with(kMagic))
        return malformed(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
    Envelope envelope;
    Reader reader(bytes.substr(kMagic.size()));
    while (!reader.done()) {
        WireField field;
        if (!next_field(reader, field)) return malformed("the envelope is cut short");
        if (field.number == 2) envelope.message = field.bytes;
        if (field.number != 1) continue;
        Reader meta(field.bytes);
        while (!meta.done()) {
            WireField part;
            if (!next_field(meta, part)) return malformed("the envelope's type is cut short");
            if (part.number == 1) envelope.api_version = part.bytes;
            if (part.number == 2) envelope.kind = part.bytes;
        }
    }
    return envelope;
}

}  // namespace keelson::object
