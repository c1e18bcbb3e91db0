// A cluster for tests: the verbs over the memory store in virtual time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/authorization.h"
#include "kernel/base/executor_simulated.h"
#include "kernel/base/ids.h"
#include "kernel/object/value.h"
#include "kernel/resource/listing.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"
#include "kernel/store/store.h"

namespace keelson::resource {

// What a verb answered: a code with an object, or a code with an error.
struct Outcome {
    int code = 0;
    std::string json;  // empty on failure
    std::string error;
    base::Reason reason{};
    std::vector<base::Cause> causes;
    std::vector<std::string> warnings;
    std::shared_ptr<object::Document> document = std::make_shared<object::Document>();

    [[nodiscard]] object::Value operator[](std::string_view name) const { return document->root[name]; }
    [[nodiscard]] std::string text(std::initializer_list<std::string_view> path) const {
        return document->root.path(path).to_string();
    }
    [[nodiscard]] std::string version() const { return text({"metadata", "resourceVersion"}); }
    [[nodiscard]] bool ok() const { return error.empty(); }
};

// Where a call goes: "v1/pods" or "apps/v1/deployments/scale".
struct Target {
    std::string_view resource;
    std::string_view namespace_name;  // empty: none
    std::string_view name;
};

class Cluster {
  public:
    // With the namespaces and the other objects of a fresh cluster.
    explicit Cluster(NetworkSettings network = {}, std::uint64_t seed = 1);

    Outcome get(const Target& target);
    Outcome create(const Target& target, std::string_view json, const WriteOptions& options = {});
    Outcome update(const Target& target, std::string_view json, const WriteOptions& options = {});
    Outcome patch(const Target& target, PatchType type, std::string_view json,
                  const WriteOptions& options = {});
    Outcome remove(const Target& target, const DeleteOptions& options = {});

    struct Page {
        std::vector<std::string> names;
        std::string continue_token;
        store::Revision revision = 0;
        std::optional<std::int64_t> remaining;
        std::string error;
        base::Reason reason{};
    };
    Page list(const Target& target, const ListOptions& options = {});

    [[nodiscard]] static Call call_of(const Target& target);
    // Another set of verbs on the same store, as after a restart.
    void restart();

    base::SimulatedExecutor executor;
    std::unique_ptr<store::Store> store;
    base::SeededRandom random;
    NetworkSettings network;
    std::unique_ptr<Verbs> verbs;
    std::unique_ptr<Subresources> subresources;

  private:
    Outcome outcome_of(base::Result<ObjectAnswer> answer, std::vector<std::string> warnings);
};

// A pod that passes validation.
[[nodiscard]] std::string pod_json(std::string_view name, std::string_view more_metadata = {},
                                   std::string_view more_spec = {});

}  // namespace keelson::resource
