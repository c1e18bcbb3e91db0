// JSON schemas of the built-in types, as the definitions of an OpenAPI document.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::api {

// Version 2 (swagger) and version 3 differ in where definitions live, in how a reference carries extras (v3
// wraps it into allOf), and in that only v3 publishes defaults.
enum class OpenApiVersion : std::uint8_t { v2, v3 };

// Collects the types that a document refers to, and theirs, and writes their definitions. What it returns
// lives in the arena.
class OpenApiSchemas {
  public:
    OpenApiSchemas(OpenApiVersion version, object::Arena& arena) : version_(version), arena_(arena) {}

    // The schema of a place that holds such a value: a reference when the type has a definition.
    [[nodiscard]] object::Value use(const object::Type& type);
    // Definitions of all that was used so far and of everything below, sorted by name.
    [[nodiscard]] object::Value definitions();
    // What a field holds, with its patch and list rules.
    [[nodiscard]] object::Value property(const object::Field& field, std::string_view description = {});

  private:
    object::Value define(const object::Type& type);
    object::Value structure(const object::Type& type);
    object::Value inline_schema(const object::Type& type);
    object::Value kinds(const object::Type& type);
    void describe(std::string_view description, object::Value schema);
    void add_rules(const object::Field& field, object::Value schema);

    OpenApiVersion version_;
    object::Arena& arena_;
    std::map<std::string_view, const object::Type*> used_;
    std::vector<const object::Type*> pending_;
};

}  // namespace keelson::api
