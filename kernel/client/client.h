// The one client that the kernel's own parts use on the API: in process, or over HTTP. The same calls, the
// same answers, the same Statuses; only the way differs.
//
// Objects are untyped documents. Tasks run on the executor that awaits them. Values given to a call must live
// until its task has ended; everything else is copied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/object/value.h"
#include "kernel/resource/call.h"

namespace keelson::client {

using resource::DeleteOptions;
using resource::ListOptions;
using resource::PatchType;
using resource::WriteOptions;

// What a call is about: {"apps", "v1", "deployments", "default", "web"}. No name: the collection.
struct Address {
    std::string group;
    std::string version;
    std::string resource;
    std::string namespace_name;  // empty: a cluster-scoped resource, or all namespaces of a list or watch
    std::string name;
    std::string subresource;
};

// One page of a list. The items have no kind and apiVersion of their own.
struct Page {
    object::Arena arena;
    std::vector<object::Value> items;  // live in the arena
    std::string resource_version;      // of the whole list; watch from here
    std::string continue_token;        // for the next page; empty at the end
    std::optional<std::int64_t> remaining;
};

struct WatchEvent {
    enum class Type : std::uint8_t { added, modified, removed, bookmark };
    Type type = Type::added;
    object::Document object;       // complete; a bookmark has metadata only
    std::string resource_version;  // watch from here to go on
};

// The changes of one collection as they come. next() is awaited by one task at a time, and the watch outlives
// it; stop() may be called from any thread and ends the wait. After a failure (Reason::expired: list again)
// or the end the watch is over; to go on is the caller's business.
class Watch {
  public:
    virtual ~Watch() = default;
    // Waits for events and gives all there are, in order; none: the server or stop() has ended the watch.
    virtual base::Task<base::Result<std::vector<WatchEvent>>> next() = 0;
    virtual void stop() = 0;
};

// Thread-safe.
class Client {
  public:
    using Object = base::Result<object::Document>;

    virtual ~Client() = default;
    virtual base::Task<Object> get(Address address) = 0;
    virtual base::Task<base::Result<Page>> list(Address address, ListOptions options) = 0;
    // From options.resource_version on; with none the present state comes first, as added objects. A refusal
    // comes either here or from the first next().
    virtual base::Task<base::Result<std::unique_ptr<Watch>>> watch(Address address, ListOptions options) = 0;
    virtual base::Task<Object> create(Address address, object::Value object, WriteOptions options) = 0;
    virtual base::Task<Object> update(Address address, object::Value object, WriteOptions options) = 0;
    // A patch document of any type; for PatchType::apply the configuration.
    virtual base::Task<Object> patch(Address address, PatchType type, object::Value patch,
                                     WriteOptions options) = 0;
    // The object when it stays for a while (finalizers, graceful pods), else a Status.
    virtual base::Task<Object> remove(Address address, DeleteOptions options) = 0;

    base::Task<Object> update_status(Address address, object::Value object, WriteOptions options) {
        address.subresource = "status";
        return update(std::move(address), object, std::move(options));
    }
    // Needs options.field_manager.
    base::Task<Object> apply(Address address, object::Value configuration, WriteOptions options) {
        return patch(std::move(address), PatchType::apply, configuration, std::move(options));
    }
};

}  // namespace keelson::client
