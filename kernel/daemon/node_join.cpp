#include "kernel/daemon/node_join.h"

#include <yaml-cpp/yaml.h>

#include <charconv>

#include "kernel/access/identity.h"
#include "kernel/base/base64.h"
#include "kernel/base/log.h"
#include "kernel/client/collections.h"
#include "kernel/client/http.h"
#include "kernel/object/accessors/certificates_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::daemon {
namespace {

using api_types::certificates_v1::CertificateSigningRequest;
using api_types::certificates_v1::CertificateSigningRequestCondition;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using object::Document;
using object::Value;

constexpr client::Collection kRequests{"certificates.k8s.io", "v1", "certificatesigningrequests"};
constexpr std::string_view kClientSigner = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr std::string_view kServerSigner = "kubernetes.io/kubelet-serving";
constexpr base::Duration kAskPause = std::chrono::milliseconds(250);
// Between two looks at the clock, which may jump, and after a failed rotation.
constexpr base::Duration kLongestPause = std::chrono::hours(1);
constexpr base::Duration kRetryPause = std::chrono::seconds(30);

Status usage(std::string message) {
    return {Reason::bad_request, std::move(message)};
}

// The CA in the kubeconfig that cluster-info holds.
Result<std::string> authority_in(const std::string& kubeconfig) {
    try {
        const YAML::Node clusters = YAML::Load(kubeconfig)["clusters"];
        for (const auto& entry : clusters)
            if (const YAML::Node data = entry["cluster"]["certificate-authority-data"])
                return base::base64_decode(data.as<std::string>());
    } catch (const YAML::Exception& error) {
        return Status(Reason::internal_error, "its kubeconfig cannot be read: " + error.msg);
    }
    return Status(Reason::internal_error, "its kubeconfig names no CA");
}

void fill_request(Document& document, const CertificateOrder& order, const std::string& text) {
    object::Arena& arena = document.arena;
    document.root = Value::map(arena);
    const CertificateSigningRequest request(document.root);
    request.make_metadata(arena).set_generate_name(arena, "node-csr-");
    const auto spec = request.make_spec(arena);
    spec.set_request(arena, base::base64_encode(text));
    const bool is_server = !order.server_names.empty();
    spec.set_signer_name(arena, is_server ? kServerSigner : kClientSigner);
    if (order.expiration_seconds) spec.set_expiration_seconds(arena, *order.expiration_seconds);
    const auto usages = spec.make_usages(arena);
    usages.add(arena, "digital signature");
    usages.add(arena, is_server ? "server auth" : "client auth");
}

// The certificate, nothing while there is no answer yet, or the refusal.
Result<std::optional<std::string>> answer_in(Value root) {
    const CertificateSigningRequest request(root);
    for (const std::string_view type : {"Denied", "Failed"}) {
        const CertificateSigningRequestCondition condition(
            object::find_condition(request.status().conditions().untyped(), type));
        if (condition.untyped().is_set())
            return Status(Reason::forbidden,
                          "the certificate signing request " + std::string(request.metadata().name()) +
                              (type == "Denied" ? " has been denied: " : " has failed: ") +
                              std::string(condition.reason()) + ": " + std::string(condition.message()));
    }
    if (request.status().certificate().empty()) return std::optional<std::string>();
    KEELSON_TRY(std::string text, base::base64_decode(request.status().certificate()));
    return std::optional(std::move(text));
}

Task<Result<std::string>> wait_for_certificate(client::Client& client, std::string name,
                                               base::Duration patience, base::Pause& pause) {
    base::Executor& executor = co_await base::current_executor();
    const base::MonotonicTime deadline = executor.clock().now() + patience;
    while (executor.clock().now() < deadline) {
        auto getting = client.get(kRequests.address({}, name));
        const client::Client::Object present = co_await getting;
        if (!present) co_return present.error();
        KEELSON_CO_TRY(const auto answer, answer_in(present->root));
        if (answer) co_return *answer;
        auto sleeping = pause.sleep(kAskPause);
        const bool goes_on = co_await sleeping;
        if (!goes_on) co_return Status(Reason::service_unavailable, "the process is stopping");
    }
    co_return Status(Reason::timeout,
                     "the certificate signing request " + name +
                         " has not been answered: is the role control running there? Look with "
                         "kubectl get csr, and start again");
}

Task<Result<void>> in_blocking_pool(std::function<Result<void>()> work) {
    base::Executor& executor = co_await base::current_executor();
    const base::Completion<Result<void>> done;
    executor.run_blocking([work = std::move(work), done] { done.complete(work()); });
    co_return co_await done;
}

}  // namespace

Result<ServerAddress> parse_server_url(const std::string& url) {
    constexpr std::string_view kScheme = "https://";
    const Status wrong = usage("'" + url + "' is not the address of a server: https://HOST:PORT");
    std::string_view rest = url;
    if (!rest.starts_with(kScheme)) return wrong;
    rest.remove_prefix(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const bool has_brackets = rest.starts_with('[');
    const auto host_end = has_brackets ? rest.find(']') : rest.find(':');
    if (has_brackets && host_end == std::string_view::npos) return wrong;
    ServerAddress address;
    address.host = has_brackets ? rest.substr(1, host_end - 1) : rest.substr(0, host_end);
    std::string_view port = host_end == std::string_view::npos ? std::string_view() : rest.substr(host_end);
    if (has_brackets) port.remove_prefix(1);
    if (!port.empty()) {
        if (port.front() != ':') return wrong;
        port.remove_prefix(1);
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
        if (error != std::errc() || end != port.data() + port.size() || address.port == 0) return wrong;
    }
    if (address.host.empty() || address.host.find_first_of("/?#@ ") != std::string::npos) return wrong;
    return address;
}

Task<Result<std::string>> fetch_authority(ServerAddress server, std::string hash) {
    client::HttpSettings settings;
    settings.host = server.host;
    settings.port = server.port;
    settings.checks_server = false;
    KEELSON_CO_TRY(const auto client, client::make_http_client(std::move(settings)));
    auto getting = client->get(client::collections::config_maps.address("kube-public", "cluster-info"));
    const client::Client::Object map = co_await getting;
    if (!map) {
        Status failure = map.error();
        co_return std::move(failure).with_context("reading cluster-info of the server: ");
    }
    const api_types::core_v1::ConfigMap info(map->root);
    KEELSON_CO_TRY(std::string authority, authority_in(std::string(info.data()["kubeconfig"])));
    KEELSON_CO_TRY(const std::string present, public_key_hash(authority));
    if (present != hash)
        co_return usage("the server's CA has the hash " + present + ", not " + hash + ": check --ca-hash");
    co_return authority;
}

Task<Result<KeyAndCertificate>> order_certificate(client::Client& client, CertificateOrder order,
                                                  base::Pause& pause) {
    KeyAndCertificate pair;
    KEELSON_CO_TRY(pair.key, make_private_key());
    KEELSON_CO_TRY(const std::string text,
                   make_signing_request(pair.key, std::string(access::node_user_prefix) + order.node_name,
                                        {std::string(access::nodes_group)}, order.server_names));
    Document document;
    fill_request(document, order, text);
    auto creating = client.create(kRequests.address(), document.root, {});
    const client::Client::Object created = co_await creating;
    if (!created) co_return created.error();
    const std::string name(CertificateSigningRequest(created->root).metadata().name());
    auto waiting = wait_for_certificate(client, name, order.patience, pause);
    KEELSON_CO_TRY(pair.certificate, co_await waiting);
    co_return pair;
}

Task<Result<NodeCredentials>> join_cluster(JoinConfig join, std::string node_name,
                                           const NodeCredentialFiles& files) {
    KEELSON_CO_TRY(const ServerAddress server, parse_server_url(join.server));
    NodeCredentials credentials;
    auto fetching = fetch_authority(server, join.ca_hash);
    KEELSON_CO_TRY(credentials.authority, co_await fetching);
    client::HttpSettings settings;
    settings.host = server.host;
    settings.port = server.port;
    settings.ca_certificates = credentials.authority;
    settings.token = join.token;
    KEELSON_CO_TRY(const auto client, client::make_http_client(std::move(settings)));
    base::Pause pause;
    CertificateOrder order;
    order.node_name = node_name;
    auto ordering = order_certificate(*client, std::move(order), pause);
    Result<KeyAndCertificate> pair = co_await ordering;
    if (!pair && pair.error().reason() == Reason::unauthorized)
        co_return usage(
            "the server refuses the token: it is wrong, has expired, or may not be used to "
            "authenticate; make a new one and give it with --token");
    if (!pair) co_return std::move(pair).error();
    credentials.client = std::move(*pair);
    if (!belong_together(credentials.authority, credentials.client))
        co_return Status(Reason::internal_error, "the server gave a certificate that its CA has not signed");
    auto storing = in_blocking_pool([&files, credentials] { return files.write(credentials); });
    KEELSON_CO_TRY_VOID(co_await storing);
    co_return credentials;
}

base::WallTime rotation_time(const CertificateFacts& facts, base::RandomSource& random) {
    const base::Duration life = facts.not_after - facts.not_before;
    const auto permille = static_cast<std::int64_t>(700 + random.below(201));
    return facts.not_before + life / 1000 * permille;
}

Task<void> CertificateRotation::run(std::string certificate) {
    base::Executor& executor = co_await base::current_executor();
    const std::string_view what = parts_.order.server_names.empty() ? "client" : "server";
    while (true) {
        const Result<CertificateFacts> facts = read_certificate(certificate);
        const base::WallTime due = facts ? rotation_time(*facts, parts_.random) : executor.clock().wall_now();
        for (base::WallTime now = executor.clock().wall_now(); now < due; now = executor.clock().wall_now()) {
            auto waiting = pause_.sleep(std::min<base::Duration>(due - now, kLongestPause));
            const bool goes_on = co_await waiting;
            if (!goes_on) co_return;
        }
        auto rotating = rotate();
        Result<std::string> rotated = co_await rotating;
        if (rotated) {
            certificate = std::move(*rotated);
            base::log_info("the node has a new certificate", {{"for", what}});
            continue;
        }
        base::log_warning("the node has no new certificate yet",
                          {{"for", what}, {"reason", rotated.error()}});
        auto waiting = pause_.sleep(kRetryPause);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
    }
}

Task<Result<std::string>> CertificateRotation::rotate() {
    auto ordering = order_certificate(parts_.client, parts_.order, pause_);
    KEELSON_CO_TRY(const KeyAndCertificate pair, co_await ordering);
    auto taking = in_blocking_pool([this, pair] { return parts_.take(pair); });
    KEELSON_CO_TRY_VOID(co_await taking);
    co_return pair.certificate;
}

}  // namespace keelson::daemon
