// From untyped JSON to the canonical form of a type, and back to bytes.
//
// Canonical form: members in declaration order; no nulls in typed places; members that Go would omit are
// absent and members that Go always writes are present; map keys sorted; quantities, times and durations in
// their canonical text. Two objects that Kubernetes would encode alike have equal canonical forms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

// What becomes of lists and maps that are there but empty. `drop`: as stored, omitted or null. `omit`:
// omitted where Go omits them, else empty, as managed fields see them. `keep`: as the client wrote them, for
// validation, whose messages tell them from absent ones.
enum class EmptyLists : std::uint8_t { drop, omit, keep };

// Brings raw JSON into the canonical form of a type. Strings are shared with `raw`.
// A value of the wrong kind fails with Reason::bad_request and Go's wording ("json: cannot unmarshal number
// into Go struct field PodSpec.spec.containers of type []v1.Container"). Unknown members are dropped; when
// `unknown_fields` is given, their paths ("spec.containers[0].nope") are added to it. Fields of disabled
// feature gates are dropped.
[[nodiscard]] base::Result<Value> conform(const Type& type, Value raw, Arena& arena,
                                          std::vector<std::string>* unknown_fields = nullptr,
                                          EmptyLists empty_lists = EmptyLists::drop);

// The canonical form again after typed code changed the value; changes that break the type are bugs
// (asserted).
[[nodiscard]] Value canonical(const Type& type, Value value, Arena& arena,
                              EmptyLists empty_lists = EmptyLists::drop);

// Whether a conformed value equals the zero value of its Go type (pointers: false when present).
[[nodiscard]] bool is_zero(const Type& type, Value value);

}  // namespace keelson::object
