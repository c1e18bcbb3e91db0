// How an answer is written: which format, and whether as the object itself, as metadata only, or as a table.
// Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/ (alternate representations, receiving
// resources as tables).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/api/exchange.h"
#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"
#include "kernel/resource/call.h"
#include "kernel/store/store.h"

namespace keelson::api {

enum class Format : std::uint8_t { json, yaml, protobuf };
enum class Shape : std::uint8_t { object, table, metadata };
enum class IncludeObject : std::uint8_t { none, metadata, object };

struct Representation {
    Format format = Format::json;
    Shape shape = Shape::object;
    IncludeObject include_object = IncludeObject::metadata;
    bool pretty = false;

    // Whether stored bytes can be sent as they are.
    [[nodiscard]] bool is_plain() const {
        return format == Format::json && shape == Shape::object && !pretty;
    }
};

// What the Accept header and the query ask for. Fails with Reason::not_acceptable.
[[nodiscard]] base::Result<Representation> negotiate(const Request& request);

[[nodiscard]] std::string_view content_type(Format format);
[[nodiscard]] std::string_view watch_content_type(Format format);

// Writes a document whose kind is `type` (JSON in, the format out). The JSON may be that of a Status.
[[nodiscard]] base::Result<std::string> write_document(const Representation& representation,
                                                       const object::Type& type, std::string json);

// An answer of one object in the shape asked for; a Status stays one.
[[nodiscard]] base::Result<std::string> write_answer(const Representation& representation,
                                                     const resource::ObjectAnswer& answer,
                                                     std::int64_t now_seconds);

// A PartialObjectMetadata of an object.
[[nodiscard]] object::Value partial_metadata(object::Value object, object::Arena& arena);
// One row of a table: cells, conditions and the object as far as it is included.
[[nodiscard]] object::Value table_row(const object::Type& type, object::Value object, IncludeObject include,
                                      std::int64_t now_seconds, object::Arena& arena);
// A table of one object, or the start of one of a list. `with_columns`: watches send them with the first
// event only.
[[nodiscard]] object::Value table_of(const object::Type& type, std::span<const object::Value> objects,
                                     IncludeObject include, bool with_columns, std::int64_t now_seconds,
                                     object::Arena& arena);

}  // namespace keelson::api
