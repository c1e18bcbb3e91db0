// Informers: the present state of a collection, kept by a list and a watch, for everything that reconciles.
//
// One informer a collection, shared by all who look at it. Its objects never change; a change brings a new
// object. Everything here lives on one thread: the executor that the informers were made with must run one
// callback at a time. Reads never wait.
//
// An informer lists, watches from there, and lists again when the server has forgotten its revision. A
// failure is tried again with growing pauses; what was seen before stays visible meanwhile.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/client/client.h"
#include "kernel/object/value.h"

namespace keelson::client {

// A collection, in the version in which it is read: {"apps", "v1", "deployments"}.
struct Collection {
    std::string_view group;
    std::string_view version;
    std::string_view resource;
    auto operator<=>(const Collection&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer

    // The address of an object of it, or with no name of a part of it.
    [[nodiscard]] Address address(std::string_view namespace_name = {}, std::string_view name = {},
                                  std::string_view subresource = {}) const {
        return {std::string(group),          std::string(version), std::string(resource),
                std::string(namespace_name), std::string(name),    std::string(subresource)};
    }
};

// Which object of a collection; cluster-scoped ones have no namespace.
struct ObjectKey {
    std::string namespace_name;
    std::string name;
    auto operator<=>(const ObjectKey&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer
    // "namespace/name" or "name".
    [[nodiscard]] std::string text() const {
        return namespace_name.empty() ? name : namespace_name + "/" + name;
    }
};

// An object as it was at one revision. Nobody changes it: what is to be written is a clone().
class CachedObject {
  public:
    // A copy; the given object loses its managed fields on the way, which nobody who reconciles reads. Kind
    // and version are added to an item of a list, which does not say what it is.
    CachedObject(object::Value object, std::string_view kind, std::string_view api_version);

    [[nodiscard]] object::Value root() const { return document_.root; }
    [[nodiscard]] const ObjectKey& key() const { return key_; }
    [[nodiscard]] std::string_view uid() const { return uid_; }
    [[nodiscard]] std::uint64_t revision() const { return revision_; }
    // The uid of the owner that controls it; empty without one.
    [[nodiscard]] std::string_view controller_uid() const { return controller_uid_; }
    [[nodiscard]] bool is_being_deleted() const;
    [[nodiscard]] object::Document clone() const;

  private:
    object::Document document_;
    ObjectKey key_;
    std::string_view uid_;
    std::string_view controller_uid_;
    std::uint64_t revision_ = 0;
};
using ObjectPointer = std::shared_ptr<const CachedObject>;

// Objects in the order of their names.
using ObjectList = std::vector<ObjectPointer>;

class Informer {
  public:
    // before is null for an object that is new, now for one that is gone. Runs after the change is visible.
    using Handler = std::function<void(const ObjectPointer& before, const ObjectPointer& now)>;
    // The values under which an object is found by indexed().
    using IndexFunction = std::function<void(const CachedObject&, std::vector<std::string>& values)>;

    virtual ~Informer() = default;
    [[nodiscard]] virtual const Collection& collection() const = 0;
    // The first list has been seen.
    [[nodiscard]] virtual bool has_synced() const = 0;
    // Every change up to here is visible.
    [[nodiscard]] virtual std::uint64_t revision() const = 0;
    [[nodiscard]] virtual std::size_t size() const = 0;

    // Null when there is no such object.
    [[nodiscard]] virtual ObjectPointer get(const ObjectKey& key) const = 0;
    // All of a namespace; of all namespaces when it is empty.
    [[nodiscard]] virtual ObjectList list(std::string_view namespace_name = {}) const = 0;
    // The objects whose controller has this uid.
    [[nodiscard]] virtual ObjectList controlled_by(std::string_view uid) const = 0;
    [[nodiscard]] virtual ObjectList indexed(std::string_view index, std::string_view value) const = 0;

    // The same name again is ignored: the first function stays.
    virtual void add_index(std::string name, IndexFunction values) = 0;
    // Told of every object that is there already, then of every change, in the order of handlers' adding.
    virtual void add_handler(Handler handler) = 0;
    // Calls once, after the next changes, or the next news of progress, have been taken in.
    virtual void after_next_change(base::Callback callback) = 0;
};

// All informers of one user of the API, made when they are first asked for.
class Informers {
  public:
    // The client and the executor must outlive it. `random` spreads the pauses after failures.
    // Which part of a collection is looked at: {pods, "spec.nodeName=a"}; all of those that are not named.
    using FieldSelectors = std::map<Collection, std::string>;
    [[nodiscard]] static std::unique_ptr<Informers> make(Client& client, base::Executor& executor,
                                                         base::RandomSource& random,
                                                         FieldSelectors selectors = {});
    virtual ~Informers() = default;

    // Lives as long as the informers. Starts to fill at once when they are running.
    virtual Informer& of(const Collection& collection) = 0;
    // One whose objects have kind, version and metadata only, for those who look at everything; of() itself
    // when somebody has asked for that before.
    virtual Informer& metadata_of(const Collection& collection) = 0;
    // Starts to fill all informers, those asked for later as well.
    virtual void start() = 0;
    // Waits until every informer asked for so far has its first list, or stop().
    virtual base::Task<void> wait_for_sync() = 0;
    // Ends the watches; then waits until nothing of the informers runs any more. The state stays readable.
    virtual base::Task<void> stop() = 0;
};

}  // namespace keelson::client
