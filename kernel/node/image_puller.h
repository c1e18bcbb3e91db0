// Gets the images that containers need: asks what is there, pulls what is not by the container's policy, and
// waits longer after every failure. On the node's executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "kernel/base/executor.h"
#include "kernel/client/event_recorder.h"
#include "kernel/node/object_cache.h"
#include "kernel/node/pod_record.h"

namespace keelson::node {

struct ImageAnswer {
    std::optional<Image> image;  // none: the container waits, for this reason
    std::string reason;          // empty: it is being pulled
    std::string message;
    std::optional<base::Duration> look_again;
};

class ImagePuller {
  public:
    // `wake` is called with a pod's uid when something about an image of its has changed.
    ImagePuller(Images& images, ObjectCache& objects, client::EventRecorder& recorder,
                base::Executor& executor, std::function<void(const std::string& uid)> wake);

    // The image of that container, or why it has to wait. Never waits for a pull.
    base::Task<ImageAnswer> need(std::shared_ptr<PodRecord> record, std::string container);
    // The pod needs nothing any more.
    void forget(const std::string& uid);

  private:
    struct Pull {
        bool is_running = false;
        bool is_done = false;  // has been pulled for this attempt
        std::int32_t attempt = -1;
        bool was_told = false;
        std::string error_reason;
        std::string error;
        base::Duration pause{};
        base::MonotonicTime not_before{};
    };
    using Key = std::pair<std::string, std::string>;  // uid, container

    ImageAnswer present(PodRecord& record, const std::string& container, Image image);
    ImageAnswer hold_back(PodRecord& record, const std::string& container, const std::string& image,
                          Pull& pull);
    base::Task<void> pull(std::shared_ptr<PodRecord> record, std::string container, std::string image);
    base::Task<std::vector<Credentials>> credentials_for(std::shared_ptr<PodRecord> record,
                                                         std::string image);
    void tell(const PodRecord& record, const std::string& container, client::EventType type,
              std::string_view reason, std::string message);
    void finish(PodRecord& record, const std::string& container, const std::string& image,
                base::Result<std::string> pulled);

    Images& images_;
    ObjectCache& objects_;
    client::EventRecorder& recorder_;
    base::Executor& executor_;
    std::function<void(const std::string&)> wake_;
    std::map<Key, Pull> pulls_;
};

// The name with its registry and tag, as images are known by: "docker.io/library/busybox:latest". Nothing
// when it is no reference.
[[nodiscard]] std::optional<std::string> normal_image_name(const std::string& name);
// The policy, with its default by the tag: Always for latest, else IfNotPresent.
[[nodiscard]] std::string_view pull_policy(api_types::core_v1::Container container);
// "spec.containers{web}".
[[nodiscard]] std::string field_path_of(const PodRecord& record, std::string_view container);

}  // namespace keelson::node
