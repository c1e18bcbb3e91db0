// Targets for patches and server-side apply.
#include "kernel/object/conform.h"
#include "kernel/object/json.h"
#include "kernel/object/managed_fields.h"
#include "kernel/object/patch.h"
#include "tests/fuzz/targets.h"

namespace keelson::fuzz {

using object::Arena;
using object::Type;
using object::Value;

namespace {

// The JSON of the next line; absent when it is none.
Value take_json(std::string_view& input, Arena& arena) {
    auto value = object::parse_json(take_line(input), arena);
    return value ? *value : Value();
}

}  // namespace

void json_patch(std::string_view input) {
    Arena arena;
    Value target = take_json(input, arena);
    Value patch = take_json(input, arena);
    if (target.is_absent() || !patch.is_list()) return;
    std::string before = object::to_json(target);
    auto result = object::json_patch(target, patch, arena);
    if (result) (void)object::to_json(*result);
    FUZZ_CHECK(object::to_json(target) == before);
    FUZZ_CHECK(arena.bytes_reserved() < (std::size_t{1} << 28));
}

void merge_patch(std::string_view input) {
    Arena arena;
    Value target = take_json(input, arena);
    Value patch = take_json(input, arena);
    if (target.is_absent() || patch.is_absent()) return;
    std::string before = object::to_json(target);
    Value once = object::merge_patch(target, patch, arena);
    FUZZ_CHECK(object::to_json(target) == before);
    FUZZ_CHECK(object::merge_patch(once, patch, arena).equals(once));
}

void strategic_patch(std::string_view input) {
    const Type& type = type_of(take_line(input));
    Arena arena;
    Value target = take_json(input, arena);
    Value patch = take_json(input, arena);
    if (!target.is_map() || !patch.is_map()) return;
    std::string before = object::to_json(target);
    auto result = object::strategic_merge_patch(type, target, patch, arena);
    FUZZ_CHECK(object::to_json(target) == before);
    if (result) (void)object::to_json(*result);
}

void apply(std::string_view input) {
    const Type& type = type_of(take_line(input));
    Arena arena;
    Value live = take_json(input, arena);
    if (live.is_set()) {
        auto typed = object::conform(type, live, arena);
        if (!typed || !typed->is_map()) return;
        live = *typed;
    }
    constexpr std::string_view kReset[] = {"status"};
    object::FieldManager first{"first", "v1", "", "2026-01-01T00:00:00Z"};
    object::FieldManager second{"second", "v1", "", "2026-01-01T00:00:01Z"};
    Value configurations[2] = {take_json(input, arena), take_json(input, arena)};
    if (!configurations[0].is_map()) return;
    auto applied = object::apply(type, live, configurations[0], first, true, kReset, arena);
    if (!applied) return;
    std::string once = object::to_json(object::canonical(type, *applied, arena));
    auto repeated = object::apply(type, object::canonical(type, *applied, arena), configurations[0], first,
                                  false, kReset, arena);
    FUZZ_CHECK(repeated);
    FUZZ_CHECK(object::to_json(object::canonical(type, *repeated, arena)) == once);
    if (!configurations[1].is_map()) return;
    (void)object::apply(type, *applied, configurations[1], second, false, kReset, arena);
    auto forced = object::apply(type, *applied, configurations[1], second, true, kReset, arena);
    if (!forced) return;
    Value updated = object::canonical(type, *forced, arena);
    object::track_update(type, *applied, updated, first, kReset, arena);
}

}  // namespace keelson::fuzz
