#include "kernel/node/volume_sources.h"

#include <algorithm>
#include <optional>

#include "kernel/base/base64.h"
#include "kernel/base/log.h"
#include "kernel/client/collections.h"
#include "kernel/node/pod_references.h"
#include "kernel/object/accessors/authentication_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

namespace authentication_v1 = api_types::authentication_v1;
namespace core_v1 = api_types::core_v1;
namespace collections = client::collections;

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::ObjectPointer;

constexpr mode_t kUsualMode = 0644;
constexpr std::int64_t kUsualTokenSeconds = 3600;
constexpr auto kLongestTokenUse = std::chrono::hours(24);

std::optional<std::int64_t> user_of(core_v1::Pod pod, core_v1::SecurityContext own) {
    if (own.has_run_as_user()) return own.run_as_user();
    const auto of_pod = pod.spec().security_context();
    return of_pod.has_run_as_user() ? std::optional(of_pod.run_as_user()) : std::nullopt;
}

// The one user that all containers of the pod run as, when there is one.
std::optional<uid_t> common_user(core_v1::Pod pod) {
    std::optional<std::int64_t> common;
    const core_v1::PodSpec spec = pod.spec();
    for (const object::Value list : {spec.init_containers().untyped(), spec.containers().untyped(),
                                     spec.ephemeral_containers().untyped()})
        for (const core_v1::Container container : object::ListView<core_v1::Container>(list)) {
            const auto user = user_of(pod, container.security_context());
            if (!user || (common && *common != *user)) return std::nullopt;
            common = user;
        }
    return common ? std::optional(static_cast<uid_t>(*common)) : std::nullopt;
}

// The bytes of an object's entries. What cannot be decoded was not checked by the API and is nothing.
std::map<std::string, std::string> entries_of(const ObjectPointer& object, bool is_secret) {
    std::map<std::string, std::string> entries;
    const auto add_encoded = [&](object::MapView<std::string_view> data) {
        for (const auto& [key, text] : data)
            entries[std::string(key)] = base::base64_decode(text).value_or("");
    };
    if (is_secret) {
        add_encoded(core_v1::Secret(object->root()).data());
        return entries;
    }
    const core_v1::ConfigMap map(object->root());
    for (const auto& [key, text] : map.data()) entries[std::string(key)] = text;
    add_encoded(map.binary_data());
    return entries;
}

mode_t default_mode_of(bool is_given, std::int64_t mode) {
    return is_given ? static_cast<mode_t>(mode) : kUsualMode;
}

}  // namespace

// The files found so far, and what they follow from.
struct VolumeSources::Gathering {
    ObjectPointer pod_object;
    core_v1::Pod pod;
    mode_t mode = kUsualMode;
    VolumeFiles files;

    void add(std::string_view path, std::string content, std::optional<mode_t> own_mode = std::nullopt) {
        VolumeFile& file = files[std::string(path)];
        file = VolumeFile();
        file.content = std::move(content);
        file.mode = own_mode.value_or(mode);
    }
};

Task<Result<VolumeFiles>> VolumeSources::files_of(ObjectPointer pod, core_v1::Volume volume) {
    Gathering into;
    into.pod_object = pod;
    into.pod = core_v1::Pod(pod->root());
    Result<void> done = base::ok();
    if (volume.has_config_map()) {
        const auto source = volume.config_map();
        into.mode = default_mode_of(source.has_default_mode(), source.default_mode());
        auto adding =
            add_object(into, collections::config_maps, source.name(), source.items(), source.optional());
        done = co_await adding;
    } else if (volume.has_secret()) {
        const auto source = volume.secret();
        into.mode = default_mode_of(source.has_default_mode(), source.default_mode());
        auto adding =
            add_object(into, collections::secrets, source.secret_name(), source.items(), source.optional());
        done = co_await adding;
    } else if (volume.has_downward_api()) {
        const auto source = volume.downward_api();
        into.mode = default_mode_of(source.has_default_mode(), source.default_mode());
        auto adding = add_fields(into, source.items());
        done = co_await adding;
    } else {
        const auto source = volume.projected();
        into.mode = default_mode_of(source.has_default_mode(), source.default_mode());
        auto adding = add_projected(into, source);
        done = co_await adding;
    }
    if (!done) co_return done.error();
    co_return std::move(into.files);
}

Task<Result<void>> VolumeSources::add_object(Gathering& into, const client::Collection& collection,
                                             std::string_view name,
                                             object::ListView<core_v1::KeyToPath> items, bool is_optional) {
    const client::ObjectKey key{std::string(into.pod.metadata().namespace_()), std::string(name)};
    auto getting = objects_.get(collection, key, std::string(into.pod_object->uid()));
    const Result<ObjectPointer> object = co_await getting;
    if (!object) {
        if (is_optional && object.error().reason() == Reason::not_found) co_return base::ok();
        co_return object.error();
    }
    const bool is_secret = collection == collections::secrets;
    auto entries = entries_of(*object, is_secret);
    if (items.empty())
        for (auto& [entry, content] : entries) into.add(entry, std::move(content));
    for (const core_v1::KeyToPath item : items) {
        const auto found = entries.find(std::string(item.key()));
        if (found != entries.end()) {
            into.add(item.path(), found->second,
                     item.has_mode() ? std::optional(static_cast<mode_t>(item.mode())) : std::nullopt);
        } else if (!is_optional) {
            const std::string what = is_secret ? "references non-existent secret key: "
                                               : "configmap references non-existent config key: ";
            co_return Status(Reason::bad_request, what + std::string(item.key()));
        }
    }
    co_return base::ok();
}

Task<Result<void>> VolumeSources::add_fields(Gathering& into,
                                             object::ListView<core_v1::DownwardAPIVolumeFile> items) {
    PodFacts facts;
    facts.pod = into.pod;
    ObjectPointer known_node;
    for (const core_v1::DownwardAPIVolumeFile item : items) {
        if (item.has_resource_field_ref() && !known_node) {
            auto asking = node();
            known_node = co_await asking;
            if (known_node) facts.node = core_v1::Node(known_node->root());
        }
        Result<std::string> text =
            item.has_resource_field_ref()
                ? resource_field(facts, item.resource_field_ref(), core_v1::Container())
                : pod_field(facts, item.field_ref().field_path());
        if (!text) co_return text.error();
        into.add(item.path(), std::move(*text),
                 item.has_mode() ? std::optional(static_cast<mode_t>(item.mode())) : std::nullopt);
    }
    co_return base::ok();
}

Task<Result<void>> VolumeSources::add_projected(Gathering& into, core_v1::ProjectedVolumeSource source) {
    for (const core_v1::VolumeProjection part : source.sources()) {
        Result<void> done = base::ok();
        if (part.has_config_map()) {
            const auto from = part.config_map();
            auto adding =
                add_object(into, collections::config_maps, from.name(), from.items(), from.optional());
            done = co_await adding;
        } else if (part.has_secret()) {
            const auto from = part.secret();
            auto adding = add_object(into, collections::secrets, from.name(), from.items(), from.optional());
            done = co_await adding;
        } else if (part.has_downward_api()) {
            auto adding = add_fields(into, part.downward_api().items());
            done = co_await adding;
        } else if (part.has_service_account_token()) {
            auto adding = add_token(into, part.service_account_token());
            done = co_await adding;
        } else {
            const std::string_view kind =
                part.has_cluster_trust_bundle() ? "clusterTrustBundle" : "podCertificate";
            done =
                Status(Reason::bad_request, "projections of " + std::string(kind) + " are not served here");
        }
        if (!done) co_return done.error();
    }
    co_return base::ok();
}

Task<Result<void>> VolumeSources::add_token(Gathering& into, core_v1::ServiceAccountTokenProjection source) {
    base::Executor& executor = co_await base::current_executor();
    const std::string uid(into.pod_object->uid());
    const std::string wanted =
        std::string(source.audience()) + '\n' + std::to_string(source.expiration_seconds());
    std::optional<Token> token;
    if (const auto known = tokens_[uid].find(wanted); known != tokens_[uid].end()) token = known->second;
    const base::WallTime now = executor.clock().wall_now();
    if (!token || now >= token->refresh_at) {
        auto requesting = request_token(into.pod, source);
        Result<Token> fresh = co_await requesting;
        // One that still holds is better than none.
        const bool is_useless = !token || now >= token->expires_at;
        if (!fresh && is_useless) co_return fresh.error();
        if (fresh) token = tokens_[uid][wanted] = std::move(*fresh);
        if (!fresh)
            base::log_warning("a pod's token could not be renewed",
                              {{"pod", pod_text(into.pod)}, {"error", fresh.error()}});
    }
    // The group is let in by the volume's group; a common user owns the file.
    constexpr mode_t kPrivate = 0600;
    const auto owner = common_user(into.pod);
    const bool has_owner = owner || into.pod.spec().security_context().has_fs_group();
    into.add(source.path(), token->text, has_owner ? kPrivate : into.mode);
    into.files[std::string(source.path())].owner = owner;
    co_return base::ok();
}

Task<Result<VolumeSources::Token>> VolumeSources::request_token(
    core_v1::Pod pod, core_v1::ServiceAccountTokenProjection source) {
    object::Document document;
    object::Arena& arena = document.arena;
    document.root = object::Value::map(arena);
    const auto spec = authentication_v1::TokenRequest(document.root).make_spec(arena);
    const auto audiences = spec.make_audiences(arena);
    if (!source.audience().empty()) audiences.add(arena, source.audience());
    const std::int64_t seconds =
        source.has_expiration_seconds() ? source.expiration_seconds() : kUsualTokenSeconds;
    spec.set_expiration_seconds(arena, seconds);
    const auto bound_to = spec.make_bound_object_ref(arena);
    bound_to.set_kind(arena, "Pod");
    bound_to.set_api_version(arena, "v1");
    bound_to.set_name(arena, pod.metadata().name());
    bound_to.set_uid(arena, pod.metadata().uid());
    const std::string_view account =
        pod.spec().service_account_name().empty() ? "default" : pod.spec().service_account_name();
    auto creating =
        client_.create(collections::service_accounts.address(pod.metadata().namespace_(), account, "token"),
                       document.root, {});
    const client::Client::Object made = co_await creating;
    if (!made) co_return Status(made.error().reason(), "failed to fetch token: " + made.error().message());
    const auto status = authentication_v1::TokenRequest(made->root).status();
    const auto expires = object::parse_time(status.expiration_timestamp());
    if (!expires) co_return expires.error();
    Token token;
    token.text = status.token();
    token.expires_at = object::wall_time_of(*expires);
    // After four fifths of its life, at the latest after a day.
    const auto life = std::chrono::seconds(seconds);
    const base::WallTime issued = token.expires_at - life;
    token.refresh_at = issued + std::min<base::Duration>(life * 4 / 5, kLongestTokenUse);
    co_return token;
}

// For limits that a container does not set; what a node has to give hardly ever changes.
Task<ObjectPointer> VolumeSources::node() {
    if (node_) co_return node_;
    auto getting = client_.get(collections::nodes.address("", node_name_));
    const client::Client::Object found = co_await getting;
    if (found) node_ = std::make_shared<const client::CachedObject>(found->root, "Node", "v1");
    co_return node_;
}

}  // namespace keelson::node
