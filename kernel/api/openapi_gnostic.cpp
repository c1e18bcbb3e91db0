#include "kernel/api/openapi_gnostic.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include "kernel/object/json.h"

namespace keelson::api {

using object::Member;
using object::Value;

namespace {

class Message {
  public:
    void text(int number, std::string_view value) {
        if (value.empty()) return;
        length(number, value.size());
        bytes_ += value;
    }
    void text(int number, Value value) { text(number, value.as_string()); }
    void texts(int number, Value list) {
        for (Value item : list.items()) {
            length(number, item.size());
            bytes_ += item.as_string();
        }
    }
    void boolean(int number, Value value) {
        if (!value.as_boolean()) return;
        varint(static_cast<std::uint64_t>(number) << 3);
        bytes_ += '\1';
    }
    // Written even when empty: that it is there is what counts.
    void message(int number, const Message& inner) {
        length(number, inner.bytes_.size());
        bytes_ += inner.bytes_;
    }
    [[nodiscard]] std::string take() { return std::move(bytes_); }

  private:
    void varint(std::uint64_t value) {
        while (value >= 0x80) {
            bytes_ += static_cast<char>(value | 0x80);
            value >>= 7;
        }
        bytes_ += static_cast<char>(value);
    }
    void length(int number, std::size_t size) {
        varint(static_cast<std::uint64_t>(number) << 3 | 2);
        varint(size);
    }
    std::string bytes_;
};

Message wrap(int number, const Message& inner) {
    Message outer;
    outer.message(number, inner);
    return outer;
}

Message any(Value value) {
    Message message;
    message.text(2, object::to_json(value) + "\n");
    return message;
}

Message named(std::string_view name, const Message& value) {
    Message message;
    message.text(1, name);
    message.message(2, value);
    return message;
}

void extensions(Message& message, int number, Value value) {
    for (const Member& member : value.members())
        if (member.name.starts_with("x-")) message.message(number, named(member.name, any(member.value)));
}

Message info(Value value, int version_number) {
    Message message;
    message.text(1, value["title"]);
    message.text(version_number, value["version"]);
    return message;
}

// ---- version 2 ----

Message schema_v2(Value value);

Message schemas_v2(Value map) {
    Message message;
    for (const Member& member : map.members())
        message.message(1, named(member.name, schema_v2(member.value)));
    return message;
}

Message schema_v2(Value value) {
    Message message;
    message.text(1, value["$ref"]);
    message.text(2, value["format"]);
    message.text(4, value["description"]);
    message.texts(19, value["required"]);
    for (Value item : value["enum"].items()) message.message(20, any(item));
    if (Value inner = value["additionalProperties"]; inner.is_set())
        message.message(21, wrap(1, schema_v2(inner)));
    if (Value type = value["type"]; type.is_set()) {
        Message types;
        types.text(1, type);
        message.message(22, types);
    }
    if (Value inner = value["items"]; inner.is_set()) message.message(23, wrap(1, schema_v2(inner)));
    if (Value inner = value["properties"]; inner.is_set()) message.message(25, schemas_v2(inner));
    extensions(message, 31, value);
    return message;
}

// A ParametersItem: of the body, the query or the path.
Message parameter_v2(Value value) {
    Message message;
    std::string_view place = value["in"].as_string();
    if (place == "body") {
        message.text(1, value["description"]);
        message.text(2, value["name"]);
        message.text(3, place);
        message.boolean(4, value["required"]);
        message.message(5, schema_v2(value["schema"]));
        return wrap(1, wrap(1, message));
    }
    bool in_path = place == "path";
    message.boolean(1, value["required"]);
    message.text(2, place);
    message.text(3, value["description"]);
    message.text(4, value["name"]);
    message.text(in_path ? 5 : 6, value["type"]);
    message.boolean(in_path ? 19 : 20, value["uniqueItems"]);
    return wrap(1, wrap(2, wrap(in_path ? 4 : 3, message)));
}

Message operation_v2(Value value) {
    Message message;
    message.texts(1, value["tags"]);
    message.text(3, value["description"]);
    message.text(5, value["operationId"]);
    message.texts(6, value["produces"]);
    message.texts(7, value["consumes"]);
    for (Value parameter : value["parameters"].items()) message.message(8, parameter_v2(parameter));
    Message responses;
    for (const Member& member : value["responses"].members()) {
        Message response;
        response.text(1, member.value["description"]);
        if (Value schema = member.value["schema"]; schema.is_set())
            response.message(2, wrap(1, schema_v2(schema)));
        responses.message(1, named(member.name, wrap(1, response)));
    }
    message.message(9, responses);
    message.texts(10, value["schemes"]);
    extensions(message, 13, value);
    return message;
}

struct Method {
    std::string_view name;
    int number;
};

Message path_item_v2(Value value) {
    constexpr Method kMethods[] = {{"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"patch", 8}};
    Message message;
    for (Method method : kMethods)
        if (Value operation = value[method.name]; operation.is_set())
            message.message(method.number, operation_v2(operation));
    for (Value parameter : value["parameters"].items()) message.message(9, parameter_v2(parameter));
    return message;
}

// ---- version 3 ----

Message schema_v3(Value value);

// A SchemaOrReference.
Message schema_or_reference(Value value) {
    Value reference = value["$ref"];
    if (!reference.is_set()) return wrap(1, schema_v3(value));
    Message message;
    message.text(1, reference);
    return wrap(2, message);
}

Message schemas_v3(Value map) {
    Message message;
    for (const Member& member : map.members())
        message.message(1, named(member.name, schema_or_reference(member.value)));
    return message;
}

// A DefaultType has no form for objects: gnostic leaves them out too.
void default_v3(Message& message, Value value) {
    if (value.is_string()) {
        Message inner;
        inner.text(3, value);
        message.message(33, inner);
    } else if (value.is_boolean()) {
        Message inner;
        inner.boolean(2, value);
        message.message(33, inner);
    }
}

Message schema_v3(Value value) {
    Message message;
    message.boolean(20, value["uniqueItems"]);
    message.texts(23, value["required"]);
    for (Value item : value["enum"].items()) message.message(24, any(item));
    message.text(25, value["type"]);
    for (Value item : value["allOf"].items()) message.message(26, schema_or_reference(item));
    for (Value item : value["oneOf"].items()) message.message(27, schema_or_reference(item));
    if (Value inner = value["items"]; inner.is_set())
        message.message(30, wrap(1, schema_or_reference(inner)));
    if (Value inner = value["properties"]; inner.is_set()) message.message(31, schemas_v3(inner));
    if (Value inner = value["additionalProperties"]; inner.is_set())
        message.message(32, wrap(1, schema_or_reference(inner)));
    default_v3(message, value["default"]);
    message.text(34, value["description"]);
    message.text(35, value["format"]);
    extensions(message, 36, value);
    return message;
}

Message parameter_v3(Value value) {
    Message message;
    message.text(1, value["name"]);
    message.text(2, value["in"]);
    message.text(3, value["description"]);
    message.boolean(4, value["required"]);
    message.message(10, schema_or_reference(value["schema"]));
    return wrap(1, message);
}

Message content_v3(Value map) {
    Message message;
    for (const Member& member : map.members())
        message.message(1, named(member.name, wrap(1, schema_or_reference(member.value["schema"]))));
    return message;
}

Message operation_v3(Value value) {
    Message message;
    message.texts(1, value["tags"]);
    message.text(3, value["description"]);
    message.text(5, value["operationId"]);
    for (Value parameter : value["parameters"].items()) message.message(6, parameter_v3(parameter));
    if (Value body = value["requestBody"]; body.is_set()) {
        Message inner;
        inner.message(2, content_v3(body["content"]));
        inner.boolean(3, body["required"]);
        message.message(7, wrap(1, inner));
    }
    Message responses;
    for (const Member& member : value["responses"].members()) {
        Message response;
        response.text(1, member.value["description"]);
        if (Value content = member.value["content"]; content.is_set())
            response.message(3, content_v3(content));
        responses.message(2, named(member.name, wrap(1, response)));
    }
    message.message(8, responses);
    extensions(message, 13, value);
    return message;
}

Message path_item_v3(Value value) {
    constexpr Method kMethods[] = {{"get", 4}, {"put", 5}, {"post", 6}, {"delete", 7}, {"patch", 10}};
    Message message;
    for (Method method : kMethods)
        if (Value operation = value[method.name]; operation.is_set())
            message.message(method.number, operation_v3(operation));
    for (Value parameter : value["parameters"].items()) message.message(13, parameter_v3(parameter));
    return message;
}

}  // namespace

std::string open_api_v2_protobuf(Value document) {
    Message message;
    message.text(1, document["swagger"]);
    message.message(2, info(document["info"], 2));
    Message paths;
    for (const Member& member : document["paths"].members())
        paths.message(2, named(member.name, path_item_v2(member.value)));
    message.message(8, paths);
    message.message(9, schemas_v2(document["definitions"]));
    return message.take();
}

std::string open_api_v3_protobuf(Value document) {
    Message message;
    message.text(1, document["openapi"]);
    message.message(2, info(document["info"], 6));
    Message paths;
    for (const Member& member : document["paths"].members())
        paths.message(1, named(member.name, path_item_v3(member.value)));
    message.message(4, paths);
    message.message(5, wrap(1, schemas_v3(document.path({"components", "schemas"}))));
    return message.take();
}

}  // namespace keelson::api
