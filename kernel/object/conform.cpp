#include "kernel/object/conform.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <limits>
#include <span>

#include "kernel/object/json.h"
#include "kernel/object/problems.h"
#include "kernel/object/quantity.h"
#include "kernel/object/time_format.h"

namespace keelson::object {
namespace {

using base::Reason;
using base::Result;
using base::Status;

std::string_view json_kind(Value value) {
    switch (value.kind()) {
        case Kind::boolean:
            return "bool";
        case Kind::integer:
        case Kind::real:
            return "number";
        case Kind::string:
            return "string";
        case Kind::list:
            return "array";
        default:
            return "object";
    }
}

bool gates_on(std::string_view gates) {
    while (!gates.empty()) {
        std::size_t comma = gates.find(',');
        if (!gate_enabled(gates.substr(0, comma))) return false;
        gates = comma == std::string_view::npos ? std::string_view() : gates.substr(comma + 1);
    }
    return true;
}

// Checks base64 as Go's StdEncoding does (line breaks are skipped) and gives its error text; empty when
// valid.
std::string base64_error(std::string_view text) {
    auto is_digit = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
               c == '/';
    };
    auto illegal = [](std::size_t at) { return "illegal base64 data at input byte " + std::to_string(at); };
    std::size_t digits = 0, at = 0;
    for (; at < text.size(); ++at) {
        char c = text[at];
        if (c == '\n' || c == '\r') continue;
        if (c == '=') break;
        if (!is_digit(c)) return illegal(at);
        ++digits;
    }
    std::size_t missing = (4 - digits % 4) % 4;
    // Go blames the start of a group of four that is not complete.
    if (at == text.size()) return missing == 0 ? "" : illegal(at - digits % 4);
    if (missing == 0 || missing == 3) return illegal(at);
    for (std::size_t padding = 0; at < text.size(); ++at) {
        char c = text[at];
        if (c == '\n' || c == '\r') continue;
        if (c != '=' || padding == missing) return illegal(at);
        ++padding;
    }
    return "";
}

// One pass over one object. Follows Go's decoder: the first type error is remembered while decoding goes on,
// an error of a type with its own decoder (quantity, time, ...) ends it.
class Conformer {
    static constexpr std::size_t kUsualFields = 48;

  public:
    Conformer(Arena& arena, std::vector<std::string>* unknown, EmptyLists empty_lists)
        : arena_(arena), unknown_(unknown), empty_lists_(empty_lists) {}

    Result<Value> run(const Type& type, Value raw) {
        Value value = convert(type, raw);
        if (!fatal_.empty()) return Status(Reason::bad_request, std::move(fatal_));
        if (!first_error_.empty()) return Status(Reason::bad_request, std::move(first_error_));
        return value;
    }

  private:
    std::string type_error(std::string_view what, std::string_view go_type) const {
        std::string text = "json: cannot unmarshal ";
        text += what;
        if (structure_ != nullptr) {
            text += " into Go struct field ";
            text += structure_->short_name();
            text += ".";
            text += field_path_;
        } else {
            text += " into Go value";
        }
        text += " of type ";
        text += go_type;
        return text;
    }

    Value wrong(const Type& type, Value raw) {
        if (first_error_.empty()) first_error_ = type_error(json_kind(raw), type.go_name);
        return zero(type);
    }

    void fatal(std::string text) {
        if (fatal_.empty()) fatal_ = std::move(text);
    }

    // What Go writes for a type that was never set.
    Value zero(const Type& type) {
        switch (type.shape) {
            case Shape::boolean:
                return Value::boolean(false);
            case Shape::int32:
            case Shape::int64:
            case Shape::int_or_string:
                return Value::integer(0);
            case Shape::float64:
                return Value::integer(0);
            case Shape::string:
                return Value::reference("");
            case Shape::quantity:
                return Value::reference("0");
            case Shape::duration:
                return Value::reference("0s");
            case Shape::structure:
                return convert_structure(type, Value());
            default:
                return Value::null();
        }
    }

    Value convert(const Type& type, Value raw) {
        if (raw.is_unset()) return zero(type);
        switch (type.shape) {
            case Shape::boolean:
                return raw.is_boolean() ? raw : wrong(type, raw);
            case Shape::int32:
                return convert_integer(type, raw, std::numeric_limits<std::int32_t>::min(),
                                       std::numeric_limits<std::int32_t>::max());
            case Shape::int64:
                return convert_integer(type, raw, std::numeric_limits<std::int64_t>::min(),
                                       std::numeric_limits<std::int64_t>::max());
            case Shape::float64:
                return raw.is_number() ? raw : wrong(type, raw);
            case Shape::string:
                return raw.is_string() ? raw : wrong(type, raw);
            case Shape::bytes:
                return convert_bytes(type, raw);
            case Shape::any:
            case Shape::raw_object:
                return raw;
            case Shape::quantity:
                return convert_quantity(raw);
            case Shape::int_or_string:
                return convert_int_or_string(raw);
            case Shape::time:
            case Shape::micro_time:
                return convert_time(raw, type.shape == Shape::micro_time);
            case Shape::duration:
                return convert_duration(raw);
            case Shape::list:
                return convert_list(type, raw);
            case Shape::map:
                return convert_map(type, raw);
            case Shape::structure:
                return raw.is_map() ? convert_structure(type, raw) : wrong(type, raw);
        }
        return raw;
    }

    Value convert_integer(const Type& type, Value raw, std::int64_t low, std::int64_t high) {
        if (raw.is_integer() && raw.as_integer() >= low && raw.as_integer() <= high) return raw;
        if (!raw.is_number()) return wrong(type, raw);
        if (first_error_.empty()) {
            std::string what = "number ";
            write_json(raw, what);
            first_error_ = type_error(what, type.go_name);
        }
        return zero(type);
    }

    Value convert_bytes(const Type& type, Value raw) {
        if (!raw.is_string()) return wrong(type, raw);
        std::string error = base64_error(raw.as_string());
        if (!error.empty() && first_error_.empty()) first_error_ = error;
        if (raw.as_string().find_first_of("\r\n") == std::string_view::npos) return raw;
        std::string joined;
        for (char c : raw.as_string())
            if (c != '\r' && c != '\n') joined += c;
        return Value::string(arena_, joined);
    }

    Value convert_quantity(Value raw) {
        std::string text = raw.is_string() ? raw.to_string() : to_json(raw);
        auto quantity = Quantity::parse(text);
        if (!quantity) {
            fatal(quantity.error().message());
            return raw;
        }
        std::string canonical = quantity->to_string();
        return raw.is_string() && canonical == raw.as_string() ? raw : Value::string(arena_, canonical);
    }

    Value convert_int_or_string(Value raw) {
        if (raw.is_string()) return raw;
        if (raw.is_integer() && raw.as_integer() >= std::numeric_limits<std::int32_t>::min() &&
            raw.as_integer() <= std::numeric_limits<std::int32_t>::max())
            return raw;
        std::string what(json_kind(raw));
        if (raw.is_number()) {
            what += ' ';
            write_json(raw, what);
        }
        fatal(type_error(what, "int32"));
        return raw;
    }

    Value convert_time(Value raw, bool micro) {
        if (!raw.is_string()) {
            fatal(type_error(json_kind(raw), "string"));
            return raw;
        }
        auto instant = parse_time(raw.as_string());
        if (!instant) {
            fatal(instant.error().message());
            return raw;
        }
        std::string text = micro ? format_micro_time(*instant) : format_time(*instant);
        return text == raw.as_string() ? raw : Value::string(arena_, text);
    }

    Value convert_duration(Value raw) {
        if (!raw.is_string()) {
            fatal(type_error(json_kind(raw), "string"));
            return raw;
        }
        auto nanoseconds = parse_duration(raw.as_string());
        if (!nanoseconds) {
            fatal(nanoseconds.error().message());
            return raw;
        }
        return Value::string(arena_, format_duration(*nanoseconds));
    }

    Value convert_list(const Type& type, Value raw) {
        if (!raw.is_list()) return wrong(type, raw);
        Value list = Value::list(arena_, raw.size());
        std::size_t mark = unknown_path_.size();
        std::size_t index = 0;
        for (Value item : raw.items()) {
            if (unknown_) unknown_path_ += "[" + std::to_string(index++) + "]";
            list.push_back(arena_, convert(*type.element, item));
            unknown_path_.resize(mark);
            if (!fatal_.empty()) break;
        }
        return list;
    }

    Value convert_map(const Type& type, Value raw) {
        if (!raw.is_map()) return wrong(type, raw);
        Value map = Value::map(arena_, raw.size());
        std::size_t mark = unknown_path_.size();
        for (const Member& member : raw.members()) {
            if (unknown_) push_unknown(member.name);
            Value value = convert(*type.element, member.value);
            // A null among bytes is an empty text, not an absent one.
            if (type.element->shape == Shape::bytes && value.is_unset()) value = Value::reference("");
            map.append(arena_, member.name, value);
            unknown_path_.resize(mark);
            if (!fatal_.empty()) break;
        }
        map.sort_members();
        return map;
    }

    void push_unknown(std::string_view name) {
        if (!unknown_path_.empty()) unknown_path_ += '.';
        unknown_path_ += name;
    }

    // Fills in the member for each field, null where there is none; how many there are. Members mostly come
    // in the order of the fields, so the look for one starts behind the field of the one before.
    static std::size_t match_members(const Type& type, Value raw, std::span<const Value*> found) {
        std::fill(found.begin(), found.end(), nullptr);
        std::size_t used = 0, next = 0;
        for (const Member& member : raw.members()) {
            for (std::size_t tried = 0; tried < found.size(); ++tried) {
                if (next == found.size()) next = 0;
                const std::size_t index = next++;
                if (type.fields[index].name != member.name) continue;
                if (!found[index]) ++used, found[index] = &member.value;
                break;
            }
        }
        return used;
    }

    Value convert_structure(const Type& type, Value raw) {
        Value result = Value::map(arena_, raw.size() + 2);
        const Type* outer_structure = structure_;
        std::size_t field_mark = field_path_.size(), unknown_mark = unknown_path_.size();
        std::array<const Value*, kUsualFields> few;
        std::span<const Value*> members(few.data(), std::min(type.fields.size(), few.size()));
        if (type.fields.size() > few.size())
            members = {arena_.allocate_array<const Value*>(type.fields.size()), type.fields.size()};
        const std::size_t used = match_members(type, raw, members);
        for (std::size_t index = 0; index < type.fields.size(); ++index) {
            const Field& field = type.fields[index];
            const Value* found = members[index];
            if (found && found->is_set() && (field.gate.empty() || gates_on(field.gate))) {
                structure_ = &type;
                if (!field_path_.empty()) field_path_ += '.';
                if (!field.embedded_in.empty()) {
                    // Go names the embedded structures that a field was found in.
                    field_path_ += field.embedded_in;
                    field_path_ += '.';
                }
                field_path_ += field.name;
                if (unknown_) push_unknown(field.name);
                Value value = convert(*field.type, *found);
                if (!fatal_.empty()) return result;
                field_path_.resize(field_mark);
                unknown_path_.resize(unknown_mark);
                structure_ = outer_structure;
                if (!omits(field, value)) result.append(arena_, field.name, stored_form(field, value));
            } else if (!field.has(Field::pointer) && !omits_unset(field)) {
                result.append(arena_, field.name, zero(*field.type));
            } else if (field.has(Field::pointer) && !field.has(Field::omit_empty)) {
                result.append(arena_, field.name, Value::null());
            }
        }
        if (unknown_ && used < raw.size()) note_unknown(type, raw);
        return result;
    }

    void note_unknown(const Type& type, Value raw) {
        for (const Member& member : raw.members()) {
            if (!wants_more_problems(unknown_)) return;
            if (type.field(member.name)) continue;
            std::string path = unknown_path_;
            if (!path.empty()) path += '.';
            path += member.name;
            add_problem(*unknown_, std::move(path));
        }
    }

    // Go structs, times and quantities among them, are never "empty".
    static bool is_go_struct(Shape shape) {
        switch (shape) {
            case Shape::structure:
            case Shape::quantity:
            case Shape::int_or_string:
            case Shape::duration:
            case Shape::time:
            case Shape::micro_time:
            case Shape::raw_object:
                return true;
            default:
                return false;
        }
    }

    // Whether Go leaves an unset, non-pointer field out.
    static bool omits_unset(const Field& field) {
        if (field.has(Field::omit_zero)) return true;
        return field.has(Field::omit_empty) && !is_go_struct(field.type->shape);
    }

    static bool is_empty_container(Value value) {
        return (value.is_list() || value.is_map()) && value.empty();
    }

    // Storing turns empty lists and maps that are always written into null.
    Value stored_form(const Field& field, Value value) const {
        bool container = field.type->shape == Shape::list || field.type->shape == Shape::map;
        bool nulled = empty_lists_ == EmptyLists::drop && container && is_empty_container(value);
        return nulled ? Value::null() : value;
    }

    bool omits(const Field& field, Value value) const {
        bool container = field.type->shape == Shape::list || field.type->shape == Shape::map;
        if (container && empty_lists_ == EmptyLists::keep && is_empty_container(value)) return false;
        // A pointer to a raw or time type whose text was null counts as unset.
        if (field.has(Field::pointer)) return value.is_unset() && field.has(Field::omit_empty);
        if (field.has(Field::omit_zero) && is_zero(*field.type, value)) return true;
        return field.has(Field::omit_empty) && !is_go_struct(field.type->shape) &&
               is_zero(*field.type, value);
    }

    Arena& arena_;
    std::vector<std::string>* unknown_;
    EmptyLists empty_lists_;
    const Type* structure_ = nullptr;
    std::string field_path_;
    std::string unknown_path_;
    std::string first_error_;
    std::string fatal_;
};

}  // namespace

bool is_zero(const Type& type, Value value) {
    if (value.is_unset()) return true;
    switch (type.shape) {
        case Shape::boolean:
            return !value.as_boolean();
        case Shape::int32:
        case Shape::int64:
        case Shape::float64:
            return value.as_real() == 0;
        case Shape::int_or_string:
            return value.is_integer() && value.as_integer() == 0;
        case Shape::quantity:
            return value.as_string() == "0";
        case Shape::duration:
            return value.as_string() == "0s";
        case Shape::string:
        case Shape::bytes:
        case Shape::list:
        case Shape::map:
            return value.empty();
        case Shape::structure:
            for (const Field& field : type.fields) {
                Value member = value[field.name];
                if (member.is_unset()) continue;
                if (field.has(Field::pointer) || !is_zero(*field.type, member)) return false;
            }
            return true;
        default:
            return false;
    }
}

Result<Value> conform(const Type& type, Value raw, Arena& arena, std::vector<std::string>* unknown_fields,
                      EmptyLists empty_lists) {
    return Conformer(arena, unknown_fields, empty_lists).run(type, raw);
}

Value canonical(const Type& type, Value value, Arena& arena, EmptyLists empty_lists) {
    auto result = Conformer(arena, nullptr, empty_lists).run(type, value);
    assert(result && "typed code broke an object's type");
    return result ? *result : value;
}

}  // namespace keelson::object
