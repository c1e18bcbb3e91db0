#include "kernel/daemon/plugin_objects.h"

#include "kernel/client/in_process.h"
#include "kernel/object/json.h"
#include "kernel/object/schema.h"

namespace keelson::daemon {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using plugin::ObjectChanges;
using plugin::ObjectList;
using plugin::ObjectQuery;

namespace {

constexpr std::int64_t kPageItems = 500;

access::Identity identity_of(const std::string& plugin) {
    access::Identity identity;
    identity.user = "system:keelson:plugin:" + plugin;
    identity.groups = {"system:keelson:plugins", std::string(access::authenticated_group)};
    return identity;
}

client::Address address_of(const ObjectQuery& query) {
    client::Address address;
    address.group = query.group;
    address.version = query.version;
    address.resource = query.resource;
    address.namespace_name = query.namespace_name;
    address.name = query.name;
    return address;
}

client::ListOptions options_of(const ObjectQuery& query) {
    client::ListOptions options;
    options.label_selector = query.label_selector;
    options.field_selector = query.field_selector;
    return options;
}

Result<void> check_resource(const ObjectQuery& query) {
    const std::string version = query.group.empty() ? query.version : query.group + "/" + query.version;
    const object::Resource* resource = object::find_resource(query.group, query.version, query.resource);
    if (!resource)
        return Status(Reason::not_found, "the API does not serve " + query.resource + " in " + version);
    if (!query.name.empty() && resource->namespaced && query.namespace_name.empty())
        return Status(Reason::bad_request, "'namespace' is required for " + query.resource);
    return base::ok();
}

Status too_large(const ObjectQuery& query) {
    return {Reason::request_entity_too_large, "all " + query.resource + " together have more than " +
                                                  std::to_string(query.limit_bytes) +
                                                  " bytes: ask for one namespace, or with selectors"};
}

// Takes what fits into the answer. False when an event did not.
bool take(const ObjectQuery& query, const std::vector<client::WatchEvent>& events, ObjectChanges& changes) {
    std::size_t bytes = 0;
    for (const client::WatchEvent& event : events) {
        using Type = client::WatchEvent::Type;
        if (event.type != Type::bookmark) {
            std::string object = object::to_json(event.object.root);
            bytes += object.size();
            if (bytes > query.limit_bytes && !changes.changes.empty()) return false;
            const char* type = event.type == Type::added      ? "ADDED"
                               : event.type == Type::modified ? "MODIFIED"
                                                              : "DELETED";
            changes.changes.push_back({type, std::move(object)});
        }
        changes.resource_version = event.resource_version;
    }
    return true;
}

}  // namespace

// One call under way: keeps what it reads from being taken down.
class PluginObjects::Reading {
  public:
    Reading(PluginObjects& objects, std::unique_ptr<client::Client> client)
        : client(std::move(client)), objects_(objects) {}
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() {
        client.reset();
        const std::lock_guard lock(objects_.mutex_);
        if (--objects_.readings_ == 0) objects_.idle_.notify_all();
    }

    std::unique_ptr<client::Client> client;

  private:
    PluginObjects& objects_;
};

void PluginObjects::begin(resource::Verbs& verbs, resource::Subresources& subresources) {
    const std::lock_guard lock(mutex_);
    verbs_ = &verbs;
    subresources_ = &subresources;
}

void PluginObjects::end() {
    std::unique_lock lock(mutex_);
    verbs_ = nullptr;
    subresources_ = nullptr;
    idle_.wait(lock, [this] { return readings_ == 0; });
}

Result<std::unique_ptr<PluginObjects::Reading>> PluginObjects::enter(const ObjectQuery& query) {
    KEELSON_TRY_VOID(check_resource(query));
    const std::lock_guard lock(mutex_);
    if (!verbs_)
        return Status(Reason::service_unavailable, "the API does not serve at the moment: try again");
    auto client = client::make_in_process_client(*verbs_, *subresources_, identity_of(query.plugin));
    ++readings_;
    return std::make_unique<Reading>(*this, std::move(client));
}

Task<Result<std::string>> PluginObjects::get(ObjectQuery query) {
    KEELSON_CO_TRY(const auto reading, enter(query));
    auto getting = reading->client->get(address_of(query));
    auto object = co_await getting;
    if (!object) co_return std::move(object).error();
    co_return object::to_json(object->root);
}

Task<Result<ObjectList>> PluginObjects::list(ObjectQuery query) {
    KEELSON_CO_TRY(const auto reading, enter(query));
    ObjectList list;
    std::size_t bytes = 0;
    client::ListOptions options = options_of(query);
    options.limit = kPageItems;
    do {
        auto listing = reading->client->list(address_of(query), options);
        auto page = co_await listing;
        if (!page) co_return std::move(page).error();
        for (const object::Value& item : page->items) {
            list.items.push_back(object::to_json(item));
            bytes += list.items.back().size();
            if (bytes > query.limit_bytes) co_return too_large(query);
        }
        list.resource_version = page->resource_version;
        options.continue_token = page->continue_token;
    } while (!options.continue_token.empty());
    co_return list;
}

Task<Result<ObjectChanges>> PluginObjects::watch(ObjectQuery query,
                                                 std::shared_ptr<plugin::StopSignal> stop) {
    if (query.resource_version.find_first_not_of("0123456789") != std::string::npos)
        co_return Status(Reason::bad_request, "'resourceVersion' is none that a list or a watch has told");
    KEELSON_CO_TRY(const auto reading, enter(query));
    client::ListOptions options = options_of(query);
    options.resource_version = query.resource_version;
    auto starting = reading->client->watch(address_of(query), std::move(options));
    auto started = co_await starting;
    if (!started) co_return std::move(started).error();
    const std::shared_ptr<client::Watch> watch = std::move(*started);
    // Whoever stops it may do so while this task ends.
    stop->arm([watch] { watch->stop(); });
    ObjectChanges changes;
    changes.resource_version = query.resource_version;
    std::optional<Status> failure;
    while (changes.changes.empty() && !failure && !stop->is_stopped()) {
        auto waiting = watch->next();
        auto events = co_await waiting;
        if (!events)
            failure = std::move(events).error();
        else if (!take(query, *events, changes) || events->empty())
            break;
    }
    stop->arm(nullptr);
    if (failure) co_return std::move(*failure);
    co_return changes;
}

}  // namespace keelson::daemon
