// What tests of the node's parts share: a cluster in virtual time with an object cache, and objects from
// text.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/node/object_cache.h"
#include "kernel/object/json.h"
#include "kernel/object/yaml.h"
#include "tests/resource/cluster.h"

namespace keelson::node {

inline client::ObjectPointer object_of(std::string_view json, std::string_view kind = "Pod") {
    object::Arena arena;
    const auto root = object::parse_json_copy(json, arena);
    if (!root) throw std::invalid_argument(root.error().message() + " in " + std::string(json));
    return std::make_shared<const client::CachedObject>(*root, kind, "v1");
}

// Of pod default/web with this spec.
inline client::ObjectPointer pod_of(std::string_view spec, std::string_view more_metadata = {}) {
    return object_of(R"({"metadata":{"name":"web","namespace":"default","uid":"u1")" +
                     std::string(more_metadata) + R"(},"spec":)" + std::string(spec) + "}");
}

class NodeCluster {
  public:
    NodeCluster()
        : client(client::make_in_process_client(
              *cluster.verbs, *cluster.subresources,
              {"system:node:n1", "", {"system:masters", "system:authenticated"}, {}})),
          cache(ObjectCache::make(*client, cluster.executor, cluster.random,
                                  [this](const std::string& user) { changed.push_back(user); })) {}
    ~NodeCluster() {
        base::sync_wait(cluster.executor, cache->stop());
        cluster.executor.run_until_idle();
    }

    template <typename T>
    T run(base::Task<T> task) {
        return base::sync_wait(cluster.executor, std::move(task));
    }
    void settle() { cluster.executor.run_until_idle(); }

    resource::Cluster cluster;
    std::unique_ptr<client::Client> client;
    std::vector<std::string> changed;
    std::unique_ptr<ObjectCache> cache;
};

// A directory that goes with the test; what a test mounts in it the test unmounts.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string pattern = std::filesystem::temp_directory_path() / "node-XXXXXX";
        path_ = std::filesystem::canonical(::mkdtemp(pattern.data()));
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace keelson::node
