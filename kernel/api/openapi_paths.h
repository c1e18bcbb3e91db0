// The paths of an OpenAPI document: every operation on every served resource, written from the resource
// tables.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/openapi_schema.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::api {

// Fills a map from path to path item. The names and groups of operations are Kubernetes'
// ("readCoreV1NamespacedPod", tag "core_v1"): generated clients are named after them. Everything lives in the
// arena.
class OpenApiPaths {
  public:
    OpenApiPaths(OpenApiVersion version, object::Arena& arena, OpenApiSchemas& schemas, object::Value paths);

    // The discovery documents: "/version/", "/api/", "/apis/", "/apis/GROUP/".
    void add_server_version();
    void add_core_versions();
    void add_groups();
    void add_group(std::string_view group);
    // "/apis/GROUP/VERSION/" and all resources of it.
    void add_group_version(std::string_view group, std::string_view version);

  private:
    // One operation before it is written.
    struct Operation {
        std::string_view method;
        std::string id;
        std::string tag;
        std::string description;
        std::string_view action;  // x-kubernetes-action; empty for discovery
        std::string_view group;
        std::string_view version;
        std::string_view kind;
        const object::Type* body = nullptr;  // null: takes none
        bool body_required = true;
        bool is_patch = false;
        const object::Type* answer = nullptr;  // null: text
        std::vector<int> codes = {200};
        std::vector<object::Value> parameters;
        std::span<const std::string_view> produces;  // media types; empty: those of objects
    };

    void add_document(std::string_view path, std::string_view id, std::string_view tag,
                      std::string_view description, const object::Type& type);
    void add_resource(const object::Resource& resource, std::string_view base);
    void add_collection(const object::Resource& resource, std::string_view base, bool all_namespaces);
    void add_item(const object::Resource& resource, std::string_view base);
    void add_subresource(const object::Resource& resource, const object::Subresource& sub,
                         std::string_view base);
    void add_connect(const object::Resource& resource, const object::Subresource& sub, std::string_view path,
                     bool with_path);
    void add_watches(const object::Resource& resource, std::string_view base);

    object::Value path_item(std::string_view path, const std::vector<object::Value>& parameters);
    void add_operation(object::Value item, Operation operation);
    object::Value request_body(const Operation& operation);
    object::Value responses(const Operation& operation);
    object::Value response(std::string_view description, const object::Type* type,
                           std::span<const std::string_view> media_types);

    object::Value parameter(std::string_view place, std::string_view name, std::string_view type,
                            std::string_view description);
    object::Value named(std::string_view name);  // of the well-known query parameters
    std::vector<object::Value> named(std::span<const std::string_view> names);
    std::vector<object::Value> path_parameters(const object::Resource& resource, bool with_name);
    std::vector<object::Value> option_parameters(const object::Type& options);
    [[nodiscard]] std::string operation_id(std::string_view verb, const object::Resource& resource,
                                           std::string_view infix, std::string_view suffix) const;

    OpenApiVersion version_;
    object::Arena& arena_;
    OpenApiSchemas& schemas_;
    object::Value paths_;
    object::Value parameters_;  // those of named(), each made once
};

}  // namespace keelson::api
