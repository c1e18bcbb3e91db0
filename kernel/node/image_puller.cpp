#include "kernel/node/image_puller.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "kernel/base/base64.h"
#include "kernel/client/collections.h"
#include "kernel/node/pull_secrets.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::Result;
using base::Task;
using client::EventType;

constexpr base::Duration kFirstPause = std::chrono::seconds(10);
constexpr base::Duration kLongestPause = std::chrono::minutes(5);
// How long a container shows the failure itself before it shows that it holds back.
constexpr base::Duration kShowsFailure = std::chrono::seconds(3);

bool is_name_character(char character) {
    return std::islower(static_cast<unsigned char>(character)) != 0 ||
           std::isdigit(static_cast<unsigned char>(character)) != 0;
}

// Components of lower case letters and digits with separators between them.
bool is_repository_path(std::string_view path) {
    if (path.empty()) return false;
    while (true) {
        const std::string_view part = path.substr(0, path.find('/'));
        if (part.empty() || !is_name_character(part.front()) || !is_name_character(part.back())) return false;
        const bool is_plain = std::ranges::all_of(part, [](char character) {
            return is_name_character(character) || character == '.' || character == '_' || character == '-';
        });
        if (!is_plain) return false;
        if (part.size() == path.size()) return true;
        path.remove_prefix(part.size() + 1);
    }
}

bool is_tag(std::string_view tag) {
    return !tag.empty() && tag.size() <= 128 && tag.front() != '.' && tag.front() != '-' &&
           std::ranges::all_of(tag, [](char character) {
               return std::isalnum(static_cast<unsigned char>(character)) != 0 || character == '_' ||
                      character == '.' || character == '-';
           });
}

bool is_digest(std::string_view digest) {
    constexpr std::string_view kSha256 = "sha256:";
    return digest.starts_with(kSha256) && digest.size() == kSha256.size() + 64 &&
           std::ranges::all_of(digest.substr(kSha256.size()), [](char character) {
               return std::isxdigit(static_cast<unsigned char>(character)) != 0 &&
                      std::isupper(static_cast<unsigned char>(character)) == 0;
           });
}

struct NameParts {
    std::string repository;
    std::string tag;
    std::string digest;
};

NameParts split(const std::string& name) {
    NameParts parts;
    parts.repository = name.substr(0, name.find('@'));
    if (parts.repository.size() < name.size()) parts.digest = name.substr(parts.repository.size() + 1);
    const auto colon = parts.repository.rfind(':');
    const auto slash = parts.repository.rfind('/');
    if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
        parts.tag = parts.repository.substr(colon + 1);
        parts.repository.resize(colon);
    }
    return parts;
}

// The reference under which the status names the image.
std::string reference_of(const Image& image, const std::string& name) {
    const std::string repository = split(normal_image_name(name).value_or(name)).repository;
    for (const std::string& digest : image.digests)
        if (digest.starts_with(repository + "@")) return digest;
    return image.digests.empty() ? image.id : image.digests.front();
}

std::string seconds_text(base::Duration duration) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    if (milliseconds < 1000) return std::to_string(milliseconds) + "ms";
    char text[32];
    (void)std::snprintf(text, sizeof text, "%.3gs", static_cast<double>(milliseconds) / 1000.0);
    return text;
}

}  // namespace

std::optional<std::string> normal_image_name(const std::string& name) {
    NameParts parts = split(name);
    const bool has_tag = parts.repository.size() < name.substr(0, name.find('@')).size();
    if (has_tag && !is_tag(parts.tag)) return std::nullopt;
    if (name.find('@') != std::string::npos && !is_digest(parts.digest)) return std::nullopt;
    std::string host = parts.repository.substr(0, parts.repository.find('/'));
    const bool has_host = host.size() < parts.repository.size() &&
                          (host.find_first_of(".:") != std::string::npos || host == "localhost");
    std::string path = has_host ? parts.repository.substr(host.size() + 1) : parts.repository;
    if (!has_host) host = "docker.io";
    if (host == "index.docker.io") host = "docker.io";
    if (host == "docker.io" && path.find('/') == std::string::npos) path.insert(0, "library/");
    if (!is_repository_path(path)) return std::nullopt;
    std::string result = host + "/" + path;
    if (!parts.tag.empty()) result += ":" + parts.tag;
    if (!parts.digest.empty()) result += "@" + parts.digest;
    if (parts.tag.empty() && parts.digest.empty()) result += ":latest";
    return result;
}

std::string_view pull_policy(core_v1::Container container) {
    if (!container.image_pull_policy().empty()) return container.image_pull_policy();
    const NameParts parts = split(std::string(container.image()));
    return parts.digest.empty() && (parts.tag.empty() || parts.tag == "latest") ? "Always" : "IfNotPresent";
}

std::string field_path_of(const PodRecord& record, std::string_view container) {
    for (const ContainerRecord& known : record.containers) {
        if (known.name != container) continue;
        const std::string_view list = known.role == ContainerRole::main        ? "containers"
                                      : known.role == ContainerRole::ephemeral ? "ephemeralContainers"
                                                                               : "initContainers";
        return "spec." + std::string(list) + "{" + std::string(container) + "}";
    }
    return {};
}

ImagePuller::ImagePuller(Images& images, ObjectCache& objects, client::EventRecorder& recorder,
                         base::Executor& executor, std::function<void(const std::string&)> wake)
    : images_(images), objects_(objects), recorder_(recorder), executor_(executor), wake_(std::move(wake)) {}

void ImagePuller::tell(const PodRecord& record, const std::string& container, EventType type,
                       std::string_view reason, std::string message) {
    recorder_.record_part(record.pod->root(), field_path_of(record, container), type, reason,
                          std::move(message));
}

ImageAnswer ImagePuller::present(PodRecord& record, const std::string& container, Image image) {
    if (ContainerRecord* known = record.find(container))
        known->image_reference =
            reference_of(image, std::string(container_of(record.object(), container).image()));
    return {std::move(image), {}, {}, {}};
}

ImageAnswer ImagePuller::hold_back(PodRecord& record, const std::string& container, const std::string& image,
                                   Pull& pull) {
    const base::MonotonicTime now = executor_.clock().now();
    const base::MonotonicTime failed = pull.not_before - pull.pause;
    if (now < failed + kShowsFailure && !pull.was_told)
        return {std::nullopt, pull.error_reason, pull.error, failed + kShowsFailure - now};
    if (!pull.was_told) {
        tell(record, container, EventType::normal, "BackOff", "Back-off pulling image \"" + image + "\"");
        tell(record, container, EventType::warning, "Failed", "Error: ImagePullBackOff");
    }
    pull.was_told = true;
    return {std::nullopt, "ImagePullBackOff",
            "Back-off pulling image \"" + image + "\": " + pull.error_reason + ": " + pull.error,
            pull.not_before - now};
}

Task<ImageAnswer> ImagePuller::need(std::shared_ptr<PodRecord> record, std::string container) {
    const client::ObjectPointer object = record->pod;  // it may change meanwhile
    const core_v1::Container definition = container_of(core_v1::Pod(object->root()), container);
    const std::string name(definition.image());
    const auto full = normal_image_name(name);
    if (!full) {
        const std::string message = "Failed to apply default image tag \"" + name +
                                    "\": couldn't parse image name \"" + name +
                                    "\": invalid reference format";
        tell(*record, container, EventType::warning, "InspectFailed", message);
        tell(*record, container, EventType::warning, "Failed", "Error: InvalidImageName");
        co_return ImageAnswer{std::nullopt, "InvalidImageName", message, kLongestPause};
    }
    const Key key(record->uid, container);
    const ContainerRecord* known = record->find(container);
    const std::int32_t attempt = known != nullptr ? known->next_attempt() : 0;
    if (Pull& pull = pulls_[key]; pull.is_running) co_return ImageAnswer{};
    const bool has_failed = !pulls_[key].error.empty();
    if (has_failed && executor_.clock().now() < pulls_[key].not_before)
        co_return hold_back(*record, container, name, pulls_[key]);
    auto inspecting = images_.inspect(*full);
    Result<std::optional<Image>> inspected = co_await inspecting;
    Pull& pull = pulls_[key];
    if (!inspected)
        co_return ImageAnswer{std::nullopt, "ImageInspectError", inspected.error().message(), kFirstPause};
    const std::string_view policy = pull_policy(definition);
    const bool was_pulled = pull.is_done && pull.attempt == attempt;
    if (inspected->has_value() && (policy != "Always" || was_pulled)) {
        if (!was_pulled)
            tell(
                *record, container, EventType::normal, "Pulled",
                "Container image \"" + name + "\" already present on machine and can be accessed by the pod");
        pull.is_done = false;
        co_return present(*record, container, std::move(**inspected));
    }
    if (policy == "Never") {
        const std::string message =
            "Container image \"" + name + "\" is not present with pull policy of Never";
        tell(*record, container, EventType::warning, "ErrImageNeverPull", message);
        tell(*record, container, EventType::warning, "Failed", "Error: ErrImageNeverPull");
        co_return ImageAnswer{std::nullopt, "ErrImageNeverPull", message, kFirstPause};
    }
    pull.is_running = true;
    pull.is_done = false;
    pull.attempt = attempt;
    base::spawn(executor_, this->pull(record, container, *full), [] {});
    co_return ImageAnswer{};
}

Task<std::vector<Credentials>> ImagePuller::credentials_for(std::shared_ptr<PodRecord> record,
                                                            std::string image) {
    std::vector<Credentials> result;
    const client::ObjectPointer object = record->pod;  // it may change meanwhile
    const core_v1::Pod pod(object->root());
    for (const core_v1::LocalObjectReference reference : pod.spec().image_pull_secrets()) {
        auto getting = objects_.get(client::collections::secrets,
                                    {std::string(pod.metadata().namespace_()), std::string(reference.name())},
                                    record->uid);
        const Result<client::ObjectPointer> found = co_await getting;
        if (!found) continue;  // a secret that is not there is passed over, as Kubernetes does
        const core_v1::Secret secret((*found)->root());
        for (const std::string_view key : {".dockerconfigjson", ".dockercfg"}) {
            const std::string text =
                base::base64_decode(std::string_view(secret.data()[key])).value_or(std::string());
            for (Credentials& one : credentials_in(text, image)) result.push_back(std::move(one));
        }
    }
    co_return result;
}

Task<void> ImagePuller::pull(std::shared_ptr<PodRecord> record, std::string container, std::string image) {
    const std::string name(container_of(record->object(), container).image());
    tell(*record, container, EventType::normal, "Pulling", "Pulling image \"" + name + "\"");
    const base::MonotonicTime began = executor_.clock().now();
    auto collecting = credentials_for(record, image);
    std::vector<Credentials> credentials = co_await collecting;
    auto pulling = images_.pull(image, std::move(credentials));
    Result<std::string> pulled = co_await pulling;
    std::int64_t size_bytes = 0;
    if (pulled) {
        auto inspecting = images_.inspect(*pulled);
        const Result<std::optional<Image>> inspected = co_await inspecting;
        if (inspected && inspected->has_value()) size_bytes = (*inspected)->size_bytes;
        const std::string took = seconds_text(executor_.clock().now() - began);
        tell(*record, container, EventType::normal, "Pulled",
             "Successfully pulled image \"" + name + "\" in " + took + " (" + took +
                 " including waiting). Image size: " + std::to_string(size_bytes) + " bytes.");
    }
    finish(*record, container, name, std::move(pulled));
}

void ImagePuller::finish(PodRecord& record, const std::string& container, const std::string& image,
                         Result<std::string> pulled) {
    const auto found = pulls_.find({record.uid, container});
    if (found == pulls_.end()) return;
    Pull& pull = found->second;
    pull.is_running = false;
    pull.was_told = false;
    if (pulled) {
        pull.is_done = true;
        pull.error.clear();
        pull.pause = {};
    } else {
        pull.error_reason = "ErrImagePull";
        pull.error = pulled.error().message();
        pull.pause = pull.pause == base::Duration() ? kFirstPause : std::min(pull.pause * 2, kLongestPause);
        pull.not_before = executor_.clock().now() + pull.pause;
        tell(record, container, EventType::warning, "Failed",
             "Failed to pull image \"" + image + "\": " + pull.error);
        tell(record, container, EventType::warning, "Failed", "Error: " + pull.error_reason);
    }
    wake_(record.uid);
}

void ImagePuller::forget(const std::string& uid) {
    const auto first = pulls_.lower_bound({uid, std::string()});
    auto last = first;
    while (last != pulls_.end() && last->first.first == uid) ++last;
    pulls_.erase(first, last);
}

}  // namespace keelson::node
