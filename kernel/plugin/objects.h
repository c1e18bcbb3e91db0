// Objects of the Kubernetes API for plugins: who may read what, within which bounds. Where the objects come
// from is for the rooms above to say.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/plugin/manifest.h"
#include "kernel/plugin/objects_service.h"

namespace keelson::plugin {

// Checked: the plugin may ask for it.
struct ObjectQuery {
    std::string plugin;
    std::string group;  // empty: the core group
    std::string version;
    std::string resource;
    std::string namespace_name;
    std::string name;
    std::string label_selector;
    std::string field_selector;
    std::string resource_version;
    std::size_t limit_bytes = 0;  // of all objects of the answer together
};

struct ObjectList {
    std::vector<std::string> items;  // JSON documents
    std::string resource_version;
};

struct ObjectChange {
    std::string type;    // "ADDED", "MODIFIED", "DELETED"
    std::string object;  // a JSON document
};

struct ObjectChanges {
    std::vector<ObjectChange> changes;
    std::string resource_version;  // of the last one; without changes the query's
};

// Ends a wait from any thread.
class StopSignal {
  public:
    // `callback` runs once, when stop() is called or at once when it has been; null takes it back.
    void arm(std::function<void()> callback);
    void stop();
    [[nodiscard]] bool is_stopped() const;

  private:
    mutable std::mutex mutex_;
    bool stopped_ = false;
    std::function<void()> callback_;
};

// Thread-safe. Failures are those of the API; request_entity_too_large: more than the query's limit.
class ObjectsSource {
  public:
    virtual ~ObjectsSource() = default;
    virtual base::Task<base::Result<std::string>> get(ObjectQuery query) = 0;
    virtual base::Task<base::Result<ObjectList>> list(ObjectQuery query) = 0;
    // Waits for changes after query.resource_version until there are some or it is stopped.
    // Reason::expired: that version is too old.
    virtual base::Task<base::Result<ObjectChanges>> watch(ObjectQuery query,
                                                          std::shared_ptr<StopSignal> stop) = 0;
};

// {"objects": [{"apiVersion", "resource", "verbs"?}, ...]}, or the list alone; without verbs: all of them.
[[nodiscard]] base::Result<std::vector<ObjectAccess>> parse_object_access(std::string_view json);
// "v1 secrets (get, list)"
[[nodiscard]] std::string access_text(const ObjectAccess& access);
// What of `asked` is not covered by `accepted`.
[[nodiscard]] std::vector<ObjectAccess> not_accepted(const std::vector<ObjectAccess>& asked,
                                                     const std::vector<ObjectAccess>& accepted);

// The kernel's side for one running plugin. A plugin may do what it asks for and the operator accepts. At
// most 32 of its calls are under way at once; further ones are refused as exhausted.
class ObjectsBroker final : public ObjectsService, public std::enable_shared_from_this<ObjectsBroker> {
  public:
    // Source and executor outlive it and its calls.
    ObjectsBroker(ObjectsSource& source, base::Executor& executor, std::string plugin,
                  std::vector<ObjectAccess> asked, std::vector<ObjectAccess> accepted);

    std::uint64_t ask(ObjectsRequest request, Done done) override;
    void cancel(std::uint64_t id) override;
    // What the operator accepts from now on; watches under way end.
    void accept(std::vector<ObjectAccess> accepted);
    // Ends what is under way; all that comes later is refused.
    void close();

  private:
    struct Call;

    base::Result<ObjectQuery> check(const ObjectsRequest& request) const;
    [[nodiscard]] base::Result<void> check_access(const ObjectQuery& query, const std::string& api_version,
                                                  ObjectVerb verb) const;
    base::Result<std::shared_ptr<Call>> enter(const ObjectsRequest& request, Done& done);
    base::Task<void> carry_out(std::shared_ptr<Call> call);
    base::Task<base::Result<std::string>> document_for(std::shared_ptr<Call> call);
    void leave(Call& call, const base::Result<std::string>& document);
    void stop_all();

    ObjectsSource& source_;
    base::Executor& executor_;
    const std::string plugin_;
    const std::vector<ObjectAccess> asked_;

    mutable std::mutex mutex_;
    std::vector<ObjectAccess> accepted_;
    bool closed_ = false;
    std::uint64_t next_id_ = 0;
    std::map<std::uint64_t, std::shared_ptr<Call>> calls_;
};

}  // namespace keelson::plugin
