// The protobuf form of objects: Kubernetes' envelope (k8s\0 and a runtime.Unknown) around the messages that
// kernel/object/schema describes. Driven by the schema tables; there is no generated code.
#pragma once

#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

// Appends the bare message of a canonical value.
void encode_message(const Type& type, Value value, std::string& out);
// Reads a bare message into the JSON form of the type. Unknown fields are skipped; malformed input fails with
// Reason::bad_request, deep nesting too.
[[nodiscard]] base::Result<Value> decode_message(const Type& type, std::string_view bytes, Arena& arena);

// The envelope. Appends one around a message.
void wrap_message(std::string_view api_version, std::string_view kind, std::string_view message,
                  std::string& out);
// A meta/v1.WatchEvent around a wrapped object.
[[nodiscard]] std::string watch_event_message(std::string_view type, std::string_view wrapped_object);

struct Envelope {
    std::string_view api_version;
    std::string_view kind;
    std::string_view message;
};
[[nodiscard]] base::Result<Envelope> unwrap_message(std::string_view bytes);

}  // namespace keelson::object
