#include "kernel/plugin/contract.h"

#include <keelson/capabilities.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <tuple>

#include "kernel/plugin/schema_check.h"
#include "kernel/plugin/schema_texts.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using nlohmann::json;

using Key = std::tuple<std::uint16_t, std::uint16_t, Document>;

Result<DocumentSchema> read_schema(MethodId method, Document which) {
    const keelson_capability_info& info = keelson_capability_list[method.capability];
    const json file = json::parse(schema_text(info.schema), nullptr, false);
    if (file.is_discarded())
        return Status(Reason::internal_error,
                      std::string("sdk/schema/") + info.schema + ".json is not there");
    const json::json_pointer place("/capabilities");
    const char* part = which == Document::request ? "request" : "reply";
    const json& methods = file[place].value(info.id, json::object());
    const json schema = methods.value(std::string(method_name(method)), json::object()).value(part, json());
    if (!schema.is_object())
        return Status(Reason::internal_error, method_text(method) + " has no schema for its " + part);
    return DocumentSchema::parse(schema.dump(), "");
}

// Schemas are read when they are first needed, and kept.
const Result<DocumentSchema>& schema_of(MethodId method, Document which) {
    static std::mutex mutex;
    static auto& schemas = *new std::map<Key, Result<DocumentSchema>>;
    const std::lock_guard lock(mutex);
    const Key key{method.capability, method.method, which};
    auto found = schemas.find(key);
    if (found == schemas.end()) found = schemas.emplace(key, read_schema(method, which)).first;
    return found->second;
}

}  // namespace

Result<void> check_contract(MethodId method, Document which, std::string_view text) {
    if (method.capability >= KEELSON_CAPABILITY_COUNT) return base::ok();
    const Result<DocumentSchema>& schema = schema_of(method, which);
    if (!schema) return schema.error();
    const auto kept = schema->check(text);
    if (kept) return base::ok();
    const char* file = keelson_capability_list[method.capability].schema;
    return Status(Reason::internal_error,
                  std::string(which == Document::request ? "the request" : "its reply") +
                      " is not what sdk/schema/" + file + ".json says: " + kept.error().message());
}

}  // namespace keelson::plugin
