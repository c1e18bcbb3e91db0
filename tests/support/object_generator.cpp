#include "tests/support/object_generator.h"

#include <limits>
#include <string>

#include "kernel/base/base64.h"

namespace keelson::testing {

using object::Arena;
using object::Field;
using object::Shape;
using object::Type;
using object::Value;

namespace {

constexpr int kDepthLimit = 12;
// How often a type may contain itself.
constexpr int kRecursionLimit = 2;

}  // namespace

Value ObjectGenerator::text(Arena& arena) {
    static constexpr std::string_view kWords[] = {
        "a",   "web",        "x-1",    "true",        "12",
        "<&>", "\"quoted\"", "a\\b\n", "\xc3\xa4",    "\xf0\x9f\x98\x80",
        " ",   "Ab.c/d_e",   "\t\x01", "\xe2\x80\xa8"};
    return Value::string(arena, std::string(one_of(kWords)) + std::to_string(below(1000)));
}

Value ObjectGenerator::any(Arena& arena, int depth) {
    switch (below(depth < kDepthLimit ? 7 : 5)) {
        case 0:
            return Value::boolean(below(2) == 0);
        case 1:
            return Value::integer(static_cast<std::int64_t>(below(1'000'000)) - 500'000);
        case 2:
            return Value::real(static_cast<double>(below(1000)) + 0.25);
        case 3:
        case 4:
            return text(arena);
        case 5: {
            Value list = Value::list(arena);
            for (std::uint64_t i = 0; i <= below(3); ++i) list.push_back(arena, any(arena, depth + 1));
            return list;
        }
        default: {
            Value map = Value::map(arena);
            for (std::uint64_t i = 0; i <= below(3); ++i)
                map.set(arena, text(arena).as_string(), any(arena, depth + 1));
            return map;
        }
    }
}

Value ObjectGenerator::structure(const Type& type, Arena& arena, int depth) {
    Value map = Value::map(arena);
    int& open = open_[&type];
    bool leaf = depth > kDepthLimit || open >= kRecursionLimit;
    ++open;
    for (const Field& field : type.fields) {
        if (options_.only_in_protobuf && field.proto_number == 0) continue;
        if (leaf && (field.type->element != nullptr || field.has(Field::pointer))) continue;
        if (below(100) >= static_cast<std::uint64_t>(options_.percent_set)) continue;
        map.set(arena, field.name, value(*field.type, arena, depth + 1));
    }
    --open;
    return map;
}

Value ObjectGenerator::value(const Type& type, Arena& arena, int depth) {
    static constexpr std::string_view kQuantities[] = {"1",   "100m",   "1.5Gi", "0.5", "1e3",
                                                       "12E", "1024Ki", "-3",    "0"};
    static constexpr std::string_view kDurations[] = {"1h",     "90m",   "1.5s", "0s",
                                                      "-2h45m", "100ms", "1us",  "7ns"};
    static constexpr std::string_view kTimes[] = {"2026-01-02T03:04:05Z", "1999-12-31T23:59:59.999999+01:30",
                                                  "1970-01-01T00:00:00Z", "2400-02-29T12:00:00.000001-11:00"};
    switch (type.shape) {
        case Shape::boolean:
            return Value::boolean(below(3) != 0);
        case Shape::int32:
            return Value::integer(static_cast<std::int32_t>(random_()));
        case Shape::int64:
            return Value::integer(below(4) == 0 ? std::numeric_limits<std::int64_t>::min()
                                                : static_cast<std::int64_t>(random_()));
        case Shape::float64:
            return Value::real(static_cast<double>(below(1'000'000)) / 8 + 0.125);
        case Shape::string:
            if (!type.enum_values.empty())
                return Value::reference(type.enum_values[below(type.enum_values.size())]);
            return text(arena);
        case Shape::bytes:
            return Value::string(arena, base::base64_encode(text(arena).as_string()));
        case Shape::any:
            return any(arena, depth);
        case Shape::raw_object: {
            Value map = Value::map(arena);
            map.set(arena, "raw", any(arena, depth));
            return map;
        }
        case Shape::quantity:
            return Value::reference(one_of(kQuantities));
        case Shape::int_or_string:
            return below(2) == 0 ? Value::integer(static_cast<std::int32_t>(random_())) : text(arena);
        case Shape::time:
        case Shape::micro_time:
            return Value::reference(one_of(kTimes));
        case Shape::duration:
            return Value::reference(one_of(kDurations));
        case Shape::list: {
            Value list = Value::list(arena);
            for (std::uint64_t i = 0; i <= below(2); ++i)
                list.push_back(arena, value(*type.element, arena, depth + 1));
            return list;
        }
        case Shape::map: {
            Value map = Value::map(arena);
            for (std::uint64_t i = 0; i <= below(2); ++i)
                map.set(arena, text(arena).as_string(), value(*type.element, arena, depth + 1));
            return map;
        }
        case Shape::structure:
            return structure(type, arena, depth);
    }
    return Value();
}

const std::vector<const Type*>& top_level_types() {
    static const std::vector<const Type*> types = [] {
        std::vector<const Type*> found;
        for (const Type* type : object::builtin_types())
            if (!type->kind.empty()) found.push_back(type);
        return found;
    }();
    return types;
}

}  // namespace keelson::testing
