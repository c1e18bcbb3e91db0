// Targets for whole documents: JSON, YAML, protobuf, canonical form.
#include "kernel/object/conform.h"
#include "kernel/object/defaults.h"
#include "kernel/object/json.h"
#include "kernel/object/protobuf.h"
#include "kernel/object/table.h"
#include "kernel/object/validation/validation.h"
#include "kernel/object/yaml.h"
#include "tests/fuzz/targets.h"

namespace keelson::fuzz {

using object::Arena;
using object::Type;
using object::Value;

void json(std::string_view input) {
    Arena arena;
    std::vector<std::string> duplicates;
    auto first = object::parse_json(input, arena, &duplicates);
    if (!first) return;
    std::string text = object::to_json(*first);
    auto second = object::parse_json(text, arena);
    FUZZ_CHECK(second);
    FUZZ_CHECK(first->equals(*second));
    FUZZ_CHECK(object::to_json(*second) == text);
    std::string pretty;
    object::write_json_pretty(*first, pretty);
    auto third = object::parse_json(pretty, arena);
    FUZZ_CHECK(third);
    FUZZ_CHECK(first->equals(*third));
    FUZZ_CHECK(first->clone(arena).equals(*first));
}

void yaml(std::string_view input) {
    Arena arena;
    std::vector<std::string> duplicates;
    auto first = object::parse_yaml(input, arena, &duplicates);
    if (!first) return;
    std::string text;
    object::write_yaml(*first, text);
    auto second = object::parse_yaml(text, arena);
    FUZZ_CHECK(second);
    FUZZ_CHECK(object::to_json(*first) == object::to_json(*second) || first->equals(*second));
}

namespace {

// A canonical object survives protobuf, its own text and defaulting.
void check_canonical(const Type& type, Value value) {
    Arena arena;
    std::string text = object::to_json(value);
    auto parsed = object::parse_json(text, arena);
    FUZZ_CHECK(parsed);
    auto again = object::conform(type, *parsed, arena);
    FUZZ_CHECK(again);
    FUZZ_CHECK(object::to_json(*again) == text);
    std::string message;
    object::encode_message(type, value, message);
    auto decoded = object::decode_message(type, message, arena);
    FUZZ_CHECK(decoded);
    auto conformed = object::conform(type, *decoded, arena);
    FUZZ_CHECK(conformed);
    std::string second_message;
    object::encode_message(type, *conformed, second_message);
    FUZZ_CHECK(message == second_message);
    object::apply_defaults(type, *again, arena);
    Value defaulted = object::canonical(type, *again, arena);
    std::string defaulted_text = object::to_json(defaulted);
    object::apply_defaults(type, defaulted, arena);
    FUZZ_CHECK(object::to_json(object::canonical(type, defaulted, arena)) == defaulted_text);
    (void)object::table_cells(type, defaulted, 1'800'000'000, arena);
    (void)object::table_row_conditions(type, defaulted, arena);
    for (const object::Resource& resource : object::builtin_resources()) {
        if (resource.type != &type || resource.storage_index != resource.index) continue;
        (void)object::validate_create(resource, defaulted, arena);
        (void)object::validate_update(resource, defaulted, *again, "", arena);
        (void)object::warnings(resource, defaulted, Value());
    }
}

}  // namespace

void conform(std::string_view input) {
    const Type& type = type_of(take_line(input));
    Arena arena;
    auto raw = object::parse_json(input, arena);
    if (!raw) return;
    std::vector<std::string> unknown;
    auto value = object::conform(type, *raw, arena, &unknown);
    if (!value || !value->is_map()) return;
    // The first pass may cap absurd quantities, which is a change of its own.
    auto again = object::conform(type, *value, arena);
    FUZZ_CHECK(again);
    check_canonical(type, *again);
}

void protobuf(std::string_view input) {
    (void)object::unwrap_message(input);
    const Type& type = type_of(take_line(input));
    Arena arena;
    auto decoded = object::decode_message(type, input, arena);
    if (!decoded) return;
    auto value = object::conform(type, *decoded, arena);
    if (!value) return;
    auto again = object::conform(type, *value, arena);
    FUZZ_CHECK(again);
    check_canonical(type, *again);
}

}  // namespace keelson::fuzz
