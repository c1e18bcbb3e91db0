#include "kernel/resource/lookup.h"

#include "kernel/resource/codec.h"

namespace keelson::resource {
namespace {

// Any served version names the stored resource.
const object::Resource* any_version(std::string_view group, std::string_view name) {
    for (std::string_view version : {"v1", "v2"})
        if (const object::Resource* resource = object::find_resource(group, version, name)) return resource;
    return nullptr;
}

}  // namespace

base::Result<object::Value> Lookup::get(std::string_view group, std::string_view resource_name,
                                        std::string_view namespace_name, std::string_view name,
                                        object::Arena& arena) const {
    const object::Resource* resource = any_version(group, resource_name);
    KEELSON_TRY(auto record, store_.get(key_of(*resource, namespace_name, name)));
    if (!record) return object::Value();
    return decode(view(*record), arena);
}

base::Result<void> Lookup::each(std::string_view group, std::string_view resource_name,
                                std::string_view namespace_name, object::Arena& arena,
                                const std::function<void(object::Value)>& visit) const {
    const object::Resource* resource = any_version(group, resource_name);
    store::ScanRequest request;
    request.prefix = prefix_of(*resource, namespace_name);
    base::Result<void> outcome;
    while (true) {
        auto result = store_.scan(request, [&](const store::Record& record) {
            auto value = decode(record, arena);
            if (!value) {
                outcome = std::move(value).error();
                return false;
            }
            visit(*value);
            return true;
        });
        if (!result) return std::move(result).error();
        if (!outcome || !result->more) return outcome;
        request.start = result->next_key;
        request.revision = result->revision;
    }
}

}  // namespace keelson::resource
