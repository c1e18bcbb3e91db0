// Request bodies as untyped documents.
#pragma once

#include "kernel/api/exchange.h"
#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/resource/call.h"

namespace keelson::api {

enum class BodyFormat : std::uint8_t { json, yaml, protobuf };

// The format of a request body; a missing Content-Type is JSON. Fails with Reason::unsupported_media_type.
[[nodiscard]] base::Result<BodyFormat> body_format(const Request& request);

// Parses a body into `arena` (the text must outlive it). `expected` is the endpoint's type: errors name its
// kind, and protobuf is read by the type that the envelope names.
[[nodiscard]] base::Result<resource::Body> parse_body(std::string_view text, BodyFormat format,
                                                      std::string_view expected_kind, object::Arena& arena,
                                                      bool note_duplicates);

// The patch type of a PATCH's Content-Type; nothing when it is none of them.
[[nodiscard]] std::optional<resource::PatchType> patch_type(const Request& request);
[[nodiscard]] base::Status unsupported_patch();

// Parses a patch document: JSON, or YAML for apply.
[[nodiscard]] base::Result<resource::Body> parse_patch(std::string_view text, resource::PatchType type,
                                                       object::Arena& arena);

}  // namespace keelson::api
