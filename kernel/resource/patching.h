// Carrying out a patch request on the current state of an object.
#pragma once

#include "kernel/base/result.h"
#include "kernel/resource/call.h"
#include "kernel/resource/decode_body.h"
#include "kernel/resource/verbs.h"

namespace keelson::resource {

// Checks that the document has the form that its patch type needs (a list of operations, an object).
[[nodiscard]] base::Result<void> check_patch_document(PatchType type, object::Value patch);

// The object that a patch makes of `current` (unset: an apply that creates), typed and defaulted.
// `reset`: fields that an apply through this endpoint never owns; `time`: now in RFC 3339.
[[nodiscard]] base::Result<Change> apply_patch(const ExpectedKind& expected, object::Value current,
                                               PatchType type, const Body& patch, const WriteOptions& options,
                                               Call& call, std::span<const std::string_view> reset,
                                               std::string_view time, object::Arena& arena);

}  // namespace keelson::resource
